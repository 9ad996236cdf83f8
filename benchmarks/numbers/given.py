"""Numbers on the pages that are given, not measured: settings, advice, versions, years.

`benchmarks.numbers` accepts a number only in one of these phrases or in a traced sentence. A phrase
is as long as it must be to say what its numbers are. Each phrase is on its page; a test checks it.
"""

import re

# Phrases that may be on any page.
EVERYWHERE = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:et al\.|& \w+) (?:19|20)\d\d\b",  # citations
        r"\b(?:Python|LightGBM|XGBoost|CatBoost|scikit-learn|NumPy|numba-cuda) \d+\.\d+"
        r"(?: and \d+\.\d+)?(?! (?:times|to|%|s|ns|\d))",  # versions
        r"\b(?:rarer than|[Ww]ith more than) 1 %",  # advice
        r"\bthe 95 % interval\b",
        r"\bcosts as much as [12]0 false alarms\b",  # an example
    )
)
GIVEN: dict[str, tuple[str, ...]] = {
    "docs/getting_started.md": ("is 1 / (1 + 20):",),
    "docs/faq.md": (
        "On tables with rare positives, 0.25 favours the frequent class.",
        "margins of 1e5?",
        "at most 4 times the learning rate",
        "torchvision uses 0.25",
    ),
    "docs/migrating.md": (
        "a few posts of 2019 and 2020",
        "not at margin 0.5",
        "1 step per leaf, learning rate 0.03",
        "the threshold is 1/21",
    ),
    "docs/posterior_link.md": (
        "undecided rows ($\\eta$ near 0.5)",
        "by more than 4 times the learning rate",
        "for each pair of gammas. Its error is 1e-7",
        "110-digit arithmetic",
    ),
    "docs/evidence.md": (
        "gbdtCBL and imlightgbm train 100 rounds without early stopping.",
        "flights from New York in 2013, calls of a bank from 2008 to 2010,",
        "police stops in 2017, and tests of a hospital in its first 107 days",
        "the learning rate 0.1",
        "With default trees and 0.2 % positives, training is stable",
        "100,000 rows, 0.2 % positives, default trees",
        "five real tables thinned to 0.5 %",
        "with default parameters and at most 1,000 rounds",
        "The simulated table has 100,000 training rows with 0.2 % positives.",
        "The simulated table has 100,000 rows, half of them for training. 0.2 % of the rows are of "
        "the rare class.",
        "was not within 1e-6",
        "With 0.2 % positives, gamma 0 and no class weights",
    ),
    "docs/guide/catboost.md": (
        "it takes 10 Newton steps per leaf, or 1 with fewer than 200 iterations and fewer than 20 "
        "columns",
        "it takes 1 step and the learning rate 0.03",
        "calls a Python loss for 500 rows at a time",
    ),
    "docs/guide/choosing.md": (
        "gamma can be any number from 0 to 100. Values between 0 and 1 need no special care.",
        "| 0.25 for `classes_[1]`, 0.75 for `classes_[0]`",
        "multiplies the loss of `classes_[0]` by 0.75 and that of `classes_[1]` by 0.25.",
    ),
    "docs/guide/drift.md": ("periods of 10 days",),
    "docs/guide/early_stopping.md": ("Before 4.7, use",),
    "docs/guide/focal_loss.md": (
        "the weight of `classes_[0]` is 0.25",
        "it is closer to 0.5",
        "(posterior near 0.5)",
    ),
    "docs/guide/index.md": (
        "a search over 0, 0.5, 1, 2, 5",
        "a threshold of 1/21",
        "alerts for 1 % of the rows",
    ),
    "docs/guide/logistic.md": (
        "With up to 2,000 coefficients",
        "for 0.05 % positives as for 50 %, and for gamma 20 as for gamma 0",
    ),
    "docs/guide/performance.md": (
        "a fit on 1,000,000 x 28 rows",
        "from 200,000 margins (raw scores) on",
        # `tests/kernels` checks the three errors
        "Their relative error is below 1e-5.",
        "Their relative error is below 1e-12 (posterior link: 1e-10)",
    ),
    "docs/guide/probabilities.md": (
        "default trees and 0.2 % positives, its mean probability",
        "measurements on 0.2 % positives",
        "If the true probability is 0.1,",
    ),
    "docs/guide/saving.md": (
        "a threshold of 0.5 on its probability",
        "the mean probability from 0.5 to the share of positives",
        "about 300 rows of X, and 2000 rows that are made from them. The 2000 rows contain",
    ),
    "docs/guide/scaling.md": (
        "Both trained on 1,000,000 x 20 rows.",
        "compute capabilities 7.5, 8.0 and 9.0",
        "The extra `gpu` is for CUDA 12. For CUDA 13 install",
    ),
    "docs/guide/thresholds.md": (
        "0.5 % of them are fraud. The first 40,000 transactions train a model. The next 10,000 set "
        "a threshold. The last 10,000 are the test.",
        "A team can check 1 % of all transactions.",
        "For 50 alerts a day among 10,000 transactions a day",
        "The numbers are costs of 1,000 transactions.",
        "if P is at least 1 / (1 + 20)",
        "At a threshold of 0.5, most of a difference",
    ),
    "docs/guide/weights.md": ("if the posterior P is at least 1/11",),
    "docs/guide/xgboost.md": ("For values below 0.1 it prints five significant digits",),
}
