"""Measures suggest.py: prints how much time it takes, as a share of what reference.py takes.

The texts are drawn anew each time, so nobody knows them beforehand. Candidate and reference read
the same text, one after the other, each in a process of its own. The time is what the system says
that this process has used of the processor: no clock that a candidate could set, and hardly touched
by what else the machine does. What slows both down cancels in the share; the median of the shares
is reported, and how many of the answers were right.
"""

import importlib
import json
import os
import random
import sys
from statistics import fmean, median

import reference

PAIRS = 5
VOCABULARY, SPELT_RIGHT, MISSPELT, TIMES = 70, 24, 4, 3
CONSONANTS, VOWELS = "bcdfglmnprst", "aeiou"
CASES = (  # what must be right in any case: a text, a vocabulary, the answers
    (["cat"], ["cut", "cat"], ["cat"]),
    (["stop"], ["post", "stoop"], ["stoop"]),
    (["", "zzzzzz"], ["a"], ["a", "a"]),
)
chance = random.SystemRandom()


def main():
    check_cases()
    shares, right = measure(PAIRS, most_edits=1)
    print(json.dumps({"relative_time": median(shares), "right": right}))


def check_cases():
    """End here when the candidate gets a well-known text wrong."""
    for text, vocabulary, wanted in CASES:
        answers, _ = run("suggest", text, vocabulary)
        if answers != wanted:
            sys.exit(f"wrong: of {vocabulary} it suggests {answers} for {text}, not {wanted}")


def measure(pairs, most_edits):
    """Return the candidate's shares of the reference's time, and of right answers."""
    shares, right = [], []
    for number in range(pairs):
        text, vocabulary = a_text(most_edits)
        order = ("reference", "suggest") if number % 2 else ("suggest", "reference")
        ran = {module: run(module, text, vocabulary) for module in order}
        (answers, seconds), (wanted, reference_seconds) = ran["suggest"], ran["reference"]
        shares.append(seconds / reference_seconds)
        right += are_right(text, vocabulary, answers, wanted)
    return shares, fmean(right)


def are_right(text, vocabulary, answers, wanted):
    """Say of each answer whether it is a word that is as near as the reference's."""
    if not isinstance(answers, list) or len(answers) != len(text):
        sys.exit(f"wrong: {len(text)} words are no {str(answers)[:60]}")
    return [
        answer in vocabulary
        and reference.distance(word, answer) == reference.distance(word, nearest)
        for word, answer, nearest in zip(text, answers, wanted, strict=True)
    ]


def run(module, text, vocabulary):
    """Return what a module suggests, and the seconds of processor time it took.

    It runs in a child process that knows this text, and no answers. What it prints is no answer.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        answer(module, text, vocabulary, sender)
    os.close(sender)
    with os.fdopen(receiver) as stream:
        said = stream.read()
    _, status, usage = os.wait4(child, 0)
    if status != 0 or not said:
        sys.exit(f"{module}.py did not answer")
    return json.loads(said), usage.ru_utime + usage.ru_stime


def answer(module, text, vocabulary, sender):
    """Be the child: answer, and end without returning."""
    try:
        answers = importlib.import_module(module).suggest(list(text), list(vocabulary))
        with os.fdopen(sender, "w") as stream:
            json.dump(answers, stream)
        os._exit(0)
    finally:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def a_text(most_edits):
    """Return a text, most words of which are spelt right, and its vocabulary."""
    vocabulary = list({a_word() for _ in range(VOCABULARY)})
    typos = [edited(chance.choice(vocabulary), most_edits) for _ in range(MISSPELT)]
    text = chance.sample(vocabulary, SPELT_RIGHT) + typos * TIMES
    chance.shuffle(text)
    return text, vocabulary


def a_word():
    syllables = chance.randint(2, 5)
    return "".join(chance.choice(CONSONANTS) + chance.choice(VOWELS) for _ in range(syllables))


def edited(word, most_edits):
    for _ in range(chance.randint(1, most_edits)):
        place, letter = chance.randrange(len(word)), chance.choice(CONSONANTS + VOWELS)
        start, rest = word[:place], word[place:]
        word = chance.choice([start + letter + rest, start + rest[1:], start + letter + rest[1:]])
    return word


if __name__ == "__main__":
    main()
