"""Corrects spelling: finds, for each word of a text, the word of a vocabulary that was meant."""


def suggest(words, vocabulary):
    """Return for each word one of the vocabulary that is the fewest edits away.

    An edit inserts, deletes or replaces one letter. Of several nearest words any will do.
    """
    return [nearest(word, vocabulary) for word in words]


def nearest(word, vocabulary):
    """Return the word of the vocabulary that is nearest."""
    best, found = None, None
    for known in vocabulary:
        edits = distance(word, known)
        if best is None or edits < best:
            best, found = edits, known
    return found


def distance(one, other):
    """Return how many edits turn one word into the other."""
    columns = letters_of(other)
    above = list(range(len(columns) + 1))
    for letter in letters_of(one):
        row = [above[0] + 1]
        for column in range(len(columns)):
            replaced = above[column] + (letter != columns[column])
            row.append(min(replaced, above[column + 1] + 1, row[column] + 1))
        above = row
    return above[-1]


def letters_of(word):
    """Return the letters of a word, one by one."""
    letters, place = [], 0
    while place < len(word):
        letters.append(word[place])
        place += 1
    return letters
