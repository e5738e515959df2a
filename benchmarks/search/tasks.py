"""Three models tuned on data sets that come with scikit-learn; nothing is kept between runs.

Each instance splits the data anew by its seed, so a seed is another task of the same kind.
One evaluation fits one model and scores it on the held-back half; it takes 5 to 50 ms.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from problems import Instance, Problem

from hermes.model import Direction, Params

Arrays = Sequence[Any]
Score = Callable[[Params, Arrays], float]

KERNELS = {
    "scaler": {"type": "categorical", "choices": ["standard", "min-max", "robust"]},
    "kernel": {"type": "categorical", "choices": ["rbf", "poly", "sigmoid"]},
    "cost": {"type": "float", "low": 1e-3, "high": 1e3, "log": True},
    "gamma": {"type": "float", "low": 1e-5, "high": 10, "log": True},
    "degree": {"type": "int", "low": 2, "high": 5, "when": {"kernel": "poly"}},
    "offset": {"type": "float", "low": -1, "high": 1, "when": {"kernel": ["poly", "sigmoid"]}},
    "balanced": {"type": "bool"},
}
BOOSTING = {
    "trees": {"type": "int", "low": 5, "high": 40},
    "rate": {"type": "float", "low": 0.01, "high": 1, "log": True},
    "depth": {"type": "int", "low": 1, "high": 4},
    "subsample": {"type": "float", "low": 0.3, "high": 1, "step": 0.05},
    "features": {"type": "float", "low": 0.2, "high": 1, "step": 0.1},
    "leaf": {"type": "int", "low": 1, "high": 60, "log": True},
    "loss": {"type": "categorical", "choices": ["squared_error", "huber"]},
    "alpha": {"type": "float", "low": 0.5, "high": 0.99, "when": {"loss": "huber"}},
}
NETWORK = {
    "units": {"type": "int", "low": 4, "high": 64, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "tanh", "logistic"]},
    "rate": {"type": "float", "low": 1e-4, "high": 1, "log": True},
    "decay": {"type": "float", "low": 1e-6, "high": 1, "log": True},
    "batch": {"type": "categorical", "choices": [16, 32, 64]},
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0, "high": 0.99, "when": {"solver": "sgd"}},
}


def tell_cancer(params: Params, data: Arrays) -> float:
    """Return the area under the ROC curve of a support vector machine."""
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
    from sklearn.svm import SVC

    scalers = {"standard": StandardScaler, "min-max": MinMaxScaler, "robust": RobustScaler}
    machine = SVC(
        kernel=params["kernel"],
        C=params["cost"],
        gamma=params["gamma"],
        degree=params.get("degree", 3),
        coef0=params.get("offset", 0.0),
        class_weight="balanced" if params["balanced"] else None,
        max_iter=20_000,
    )
    fit_x, test_x, fit_y, test_y = data
    model = make_pipeline(scalers[params["scaler"]](), machine).fit(fit_x, fit_y)
    return roc_auc_score(test_y, model.decision_function(test_x))


def foresee_diabetes(params: Params, data: Arrays) -> float:
    """Return the root of the mean squared error of gradient boosting."""
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.metrics import root_mean_squared_error

    model = GradientBoostingRegressor(
        n_estimators=params["trees"],
        learning_rate=params["rate"],
        max_depth=params["depth"],
        subsample=params["subsample"],
        max_features=params["features"],
        min_samples_leaf=params["leaf"],
        loss=params["loss"],
        alpha=params.get("alpha", 0.9),
        random_state=0,
    )
    fit_x, test_x, fit_y, test_y = data
    return root_mean_squared_error(test_y, model.fit(fit_x, fit_y).predict(test_x))


def read_digits(params: Params, data: Arrays) -> float:
    """Return the log loss of a small network after a few passes."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (params["units"],),
        activation=params["activation"],
        learning_rate_init=params["rate"],
        alpha=params["decay"],
        batch_size=params["batch"],
        solver=params["solver"],
        momentum=params.get("momentum", 0.9),
        max_iter=8,
        random_state=0,
    )
    fit_x, test_x, fit_y, test_y = data
    model.fit(fit_x / 16, fit_y)
    return log_loss(test_y, model.predict_proba(test_x / 16), labels=range(10))


def _on(loader: str, score: Score, largest: int) -> Callable[[random.Random], Instance]:
    """Return the maker of a task on at most ``largest`` samples of a data set."""

    def make(rng: random.Random) -> Instance:
        from sklearn import datasets
        from sklearn.model_selection import train_test_split

        x, y = getattr(datasets, loader)(return_X_y=True)
        chosen = rng.sample(range(len(y)), min(largest, len(y)))
        data = train_test_split(x[chosen], y[chosen], test_size=0.5, random_state=0)

        def value(params: Params) -> float:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that a model is not yet at its end
                return float(score(params, data))

        return Instance(value, value)

    return make


TASKS = (
    Problem(
        "cancer",
        "a support vector machine, 7 parameters",
        KERNELS,
        _on("load_breast_cancer", tell_cancer, 569),
        Direction.MAXIMIZE,
        optimum=None,
    ),
    Problem(
        "diabetes",
        "gradient boosting, 8 parameters",
        BOOSTING,
        _on("load_diabetes", foresee_diabetes, 442),
        optimum=None,
    ),
    Problem(
        "digits",
        "a small network, 7 parameters",
        NETWORK,
        _on("load_digits", read_digits, 500),
        optimum=None,
    ),
)
