"""Focal losses as frozen value objects (floor 2)."""

from skfocal.losses._binary import BinaryFocalLoss
from skfocal.losses._make import FocalLoss as FocalLoss
from skfocal.losses._make import make_loss as make_loss
from skfocal.losses._make import mean_loss as mean_loss
from skfocal.losses._multiclass import MulticlassFocalLoss

__all__ = ["BinaryFocalLoss", "MulticlassFocalLoss"]

for _class in (BinaryFocalLoss, MulticlassFocalLoss):
    _class.__module__ = __name__  # where pickles look for them
