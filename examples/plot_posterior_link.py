"""
What focal loss does in the log-odds of the posterior
=====================================================

Under ``link="posterior"`` the gradient of a row is omega(u) (eta - y), that of log loss
times a weight which depends on the current log-odds u alone. The figure shows that weight,
scaled so that 1 is log loss far out: undecided rows (u near 0) count less, rows that are
rather sure count more. Class weights shift and tilt it.

Run it from the root of the repository with ``python -m examples.plot_posterior_link``; it
writes docs/figures/posterior_link.png.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from skfocal import BinaryFocalLoss

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "posterior_link.png"
GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)


def omega(loss: BinaryFocalLoss, u: np.ndarray) -> np.ndarray:
    """The weight: gradients are -omega (1 - eta) of positive and omega eta of negative rows."""
    zeros, ones = np.zeros(len(u)), np.ones(len(u))
    return loss.gradient(zeros, u) - loss.gradient(ones, u)


def main() -> None:
    """Draw the figure and print some of its values."""
    u = np.linspace(-12, 12, 481)
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.6), layout="constrained", sharex=True)
    for gamma in GAMMAS:
        plain = BinaryFocalLoss(gamma, link="posterior")
        weighted = BinaryFocalLoss(gamma, (1.0, 10.0), link="posterior")
        axes[0].plot(u, (1 + gamma) * omega(plain, u), label=f"gamma {gamma:g}")
        axes[1].plot(u, (1 + gamma) * omega(weighted, u))
    axes[0].set(ylabel="(1 + gamma) omega(u)", ylim=(0, None))
    axes[0].set_title("equal weights", loc="left")
    axes[1].set(yscale="log")
    axes[1].set_title("positive rows weigh 10", loc="left")
    for side in axes:
        side.set_xlabel("log-odds u of the posterior")
        side.spines[["top", "right"]].set_visible(False)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    figure.savefig(FIGURE, dpi=150)
    plt.close(figure)
    print("(1 + gamma) omega(u)")
    for gamma in GAMMAS:
        values = (1 + gamma) * omega(
            BinaryFocalLoss(gamma, link="posterior"), np.arange(0.0, 9.0, 2)
        )
        print(
            f"gamma {gamma:3g}:",
            " ".join(f"u={k}: {v:.3f}" for k, v in zip(range(0, 9, 2), values, strict=True)),
        )


if __name__ == "__main__":
    main()
