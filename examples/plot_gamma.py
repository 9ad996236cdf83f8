"""
What gamma does to a row
========================

Three views of the focal loss for five values of gamma: the loss against the probability of
the true class, which is figure 1 of Lin et al. (2017) again; the size of its gradient
against the margin; and the weight that it gives a row in the log-odds of the posterior. Then
the same for two classes with weights and gammas of their own.
"""

import matplotlib.pyplot as plt

from skfocal import BinaryFocalLoss
from skfocal.plotting import FocalLossDisplay

FocalLossDisplay.from_losses()
plt.show()

# %%
# gamma = 0 is cross-entropy. At gamma = 2 a row whose true class has probability .9 has a
# loss that is 100 times smaller, and one at .1 nearly the same. The ratio is what counts:
# boosters and Newton's method do not see a factor common to all rows.

for gamma in (0.0, 2.0):
    sure, missed = BinaryFocalLoss(gamma).loss([1, 1], [2.197, -2.197])
    print(f"gamma {gamma:g}: loss at p_t = .9: {sure:.4f}, at p_t = .1: {missed:.4f}")

# %%
# Gradients exceed 1, the bound of log loss, where rows are missed badly. There the second
# derivative is negative, hence the bound that trees are grown on. In the log-odds of the
# posterior the picture is calmer: the gradient is that of log loss times a weight that
# depends on the log-odds alone. From gamma 1 on, undecided rows, near 0, count less.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
FocalLossDisplay.from_losses(kind="gradient", ax=axes[0])
FocalLossDisplay.from_losses(kind="weight", ax=axes[1])
plt.show()

# %%
# Each class may have its own weight and its own gamma. Positive rows, class 1, weigh 3 here and
# are focused less.

loss = BinaryFocalLoss(gamma=(4.0, 1.0), alpha=(1.0, 3.0))
FocalLossDisplay.from_losses([loss], labels=["gamma (4, 1), weights (1, 3)"])
plt.show()
