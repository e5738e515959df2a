"""Trains the classifier that config.yaml describes, and prints how good it is and how long it took.

The metric is the accuracy in a cross-validation: the mean over its folds, between 0 and 1.
"""

import json
import sys
import time

try:
    import yaml
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_validate
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
except ImportError as missing:
    sys.exit(f"{missing}; run `pip install scikit-learn pyyaml` for the python3 that runs this")


def main() -> None:
    with open("config.yaml", encoding="utf-8") as stream:
        config = yaml.safe_load(stream)
    data = config["data"]
    digits = load_digits()
    folds = StratifiedKFold(data["folds"], shuffle=True, random_state=data["shuffle_seed"])
    began = time.perf_counter()
    scores = cross_validate(
        classifier(config),
        digits.data[: data["images"]],
        digits.target[: data["images"]],
        cv=folds,
    )
    result = {
        "accuracy": float(scores["test_score"].mean()),
        "fit_seconds": float(scores["fit_time"].mean()),
        "total_seconds": time.perf_counter() - began,
    }
    print(json.dumps(result))


def classifier(config: dict):
    model = MODELS[config["model"]["kind"]](config["model"])
    return make_pipeline(StandardScaler(), model) if config["preprocessing"]["scale"] else model


def svm(model: dict) -> SVC:
    chosen = model["svm"]
    return SVC(
        kernel=chosen["kernel"], C=chosen["C"], gamma=chosen["gamma"], degree=chosen["degree"]
    )


def forest(model: dict) -> RandomForestClassifier:
    chosen = model["forest"]
    return RandomForestClassifier(
        n_estimators=chosen["trees"],
        max_depth=chosen["depth"],
        criterion=chosen["criterion"],
        random_state=0,
    )


def neighbours(model: dict) -> KNeighborsClassifier:
    chosen = model["neighbours"]
    return KNeighborsClassifier(n_neighbors=chosen["k"], weights=chosen["weights"])


MODELS = {"svm": svm, "forest": forest, "neighbours": neighbours}

if __name__ == "__main__":
    main()
