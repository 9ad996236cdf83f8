"""
What focal loss does in the log-odds of the posterior
=====================================================

Under ``link="posterior"`` the gradient of a row is omega(u) (eta - y), that of log loss
times a weight which depends on the current log-odds u of the posterior eta alone. The figure
shows that weight, in units of its limit for large u: from gamma 1 on undecided rows, near 0,
count less than under log loss, and rows that are rather sure count more. Class weights tilt
it from one level to another.
"""

import matplotlib.pyplot as plt
import numpy as np

from skfocal import BinaryFocalLoss
from skfocal.plotting import FocalLossDisplay

GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
names = [f"gamma {gamma:g}" for gamma in GAMMAS]

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
FocalLossDisplay.from_losses(
    [BinaryFocalLoss(gamma) for gamma in GAMMAS], kind="weight", labels=names, ax=axes[0]
)
FocalLossDisplay.from_losses(
    [BinaryFocalLoss(gamma, (1.0, 10.0)) for gamma in GAMMAS],
    kind="weight",
    labels=names,
    ax=axes[1],
)
axes[0].set_title("equal weights", loc="left")
axes[1].set_title("positive rows weigh 10", loc="left")
axes[1].set(yscale="log", ylim=(0.1, 20))
axes[1].legend_.remove()
plt.show()

# %%
# The gradients themselves say the same: divided by those of log loss, they are the weight,
# for positive and negative rows alike.

u = np.arange(-4.0, 5.0, 2.0)
plain, focal = BinaryFocalLoss(0.0), BinaryFocalLoss(2.0, link="posterior")
for code in (0, 1):
    labels = np.full(len(u), code)
    ratio = 3 * focal.gradient(labels, u) / plain.gradient(labels, u)
    print(f"labels {code}:", ratio.round(3))
