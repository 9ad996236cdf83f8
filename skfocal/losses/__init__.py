"""Focal losses as frozen value objects.

Conventions
-----------
A margin is the raw score of a model, before sigmoid or softmax. ``raw_prediction`` are
margins, of shape (n,) for `BinaryFocalLoss` and (n, K) for `MulticlassFocalLoss`. Gradients
and Hessians have the shape of the margins; a loss has one value per row. Nothing is summed or
averaged. Losses, gradients and Hessians are multiplied by the class weight and by
``sample_weight``.

Classes are codes 0..K-1 of any dtype; of two classes code 1 is "positive". What there is one
of per class (weights, gamma, columns) is in the order of the codes.

Results have the precision of ``raw_prediction``: float32 stays float32, everything else is
float64. float64 is computed in double precision, to 1e-12 (posterior link: 1e-10). float32 is
computed in single precision, to 1e-5. Three kinds of float32 results are computed in double:
cross-entropy, the Hessians "exact" and "abs", and losses under the posterior link.

Margins on a CUDA device (CuPy, PyTorch, numba) stay there, and so do the results of `loss`,
`gradient`, `gradient_hessian`, their combinations, and `posterior`. Labels, as float32, and
weights must be on the device too. Neither is checked there.

Margins are not checked, which saves a pass over them. The results of a row with a NaN or an
infinite margin mean nothing; as a rule they are NaN. Other rows are not affected.
"""

from skfocal.losses._binary import BinaryFocalLoss
from skfocal.losses._make import FocalLoss as FocalLoss
from skfocal.losses._make import make_loss as make_loss
from skfocal.losses._make import mean_loss as mean_loss
from skfocal.losses._multiclass import MulticlassFocalLoss

__all__ = ["BinaryFocalLoss", "MulticlassFocalLoss"]

for _class in (BinaryFocalLoss, MulticlassFocalLoss):
    _class.__module__ = __name__  # where pickles look for them
