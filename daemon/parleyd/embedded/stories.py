"""The stories of the embedded server; each lasts almost a minute."""

from collections.abc import Sequence

STORIES: dict[str, tuple[str, ...]] = {
    "lighthouse": (
        "There was once a lighthouse keeper who was afraid of the dark.",
        "Nobody in the village knew, because his lamp was always lit.",
        "Every evening he climbed two hundred and twelve steps, and counted each of them aloud.",
        "One night in November the lamp went out, and the oil can was empty.",
        "He sat down on the highest step and listened to the waves.",
        "Far out at sea a small boat was coming home, and it was looking for his light.",
        "So he took the mirror from the wall and carried it out onto the balcony.",
        "The moon came out for a minute, and he caught it in the mirror.",
        "He turned the moonlight slowly, round and round, until his arms ached.",
        "The boat saw it, and found the gap between the rocks.",
        "In the morning the fishermen brought him bread, oil and a very large fish.",
        "They asked him how he had kept the light burning without any oil.",
        "He said that he had borrowed some from the sky.",
        "From that night on he was never afraid again, and he climbed without counting.",
    ),
    "fox": (
        "A young fox moved into a town, because she had heard that it never slept.",
        "By day she lived under a garden shed, and by night she read the street signs.",
        "She could not really read, but she knew that the red ones meant wait.",
        "One evening she met a cat who had lost his way home.",
        "He was very proud, and so he did not say that he was lost.",
        "He only asked, in passing, which way the smell of cinnamon was.",
        "The fox knew the bakery, and she knew the shortest way across the roofs.",
        "Together they walked past the church, past the school, and over the sleeping tram.",
        "At the bakery the cat sat down as if he had planned it all along.",
        "The baker opened the door and cried, there you are at last.",
        "He looked at the fox, thought for a while, and brought out a second saucer.",
        "Since then two animals have kept the bakery free of mice.",
        "One of them sleeps on the flour sacks, and the other still waits at every red sign.",
    ),
    "clock": (
        "In a small station there hung a clock that was always four minutes late.",
        "The station master corrected it every Monday, and every Tuesday it was late again.",
        "The passengers complained, and a clockmaker came from the city with a big leather bag.",
        "He took the clock apart and laid out its wheels on a white cloth.",
        "Every wheel was perfect, and he could not find anything wrong at all.",
        "Then an old woman on the bench began to laugh.",
        "She told him that her husband had driven the evening train for thirty years.",
        "Because of the hill, he had always come in four minutes after the hour.",
        "Every evening the clock had waited for him, so that he was never late.",
        "The clockmaker put the wheels back, one after the other, very gently.",
        "He closed the little glass door and said that the clock was working as it should.",
        "The station master changed the timetable instead.",
        "And now every train in that valley arrives exactly on time.",
    ),
    "river": (
        "High in the mountains a stream wanted to know where it was going.",
        "It asked the stones, but the stones had never been anywhere.",
        "It asked the clouds, but they gave a different answer every hour.",
        "So the stream ran on, because standing still made it feel like a puddle.",
        "In the forest it met a second stream, which was cold and rather silent.",
        "They agreed to share one bed, and to talk only at the waterfalls.",
        "Further down they turned a mill, and the miller thanked them every Sunday.",
        "They carried a paper boat for two days, and set it down beside a bridge.",
        "The valley grew wide, and the water grew slow and brown and thoughtful.",
        "At last there were gulls, and the air began to taste of salt.",
        "The sea asked the river where it had come from.",
        "And the river was surprised, because it could tell the whole story.",
        "It talked all night, and the sea, who loves stories, did not interrupt it once.",
    ),
}


def rest_after(heard: str) -> tuple[str, ...]:
    """The remaining sentences of the story that `heard` is part of.

    `heard`: the heard part of an answer. An interrupted sentence starts again from its
    beginning. Empty if it is not a story, or if the story is over.
    """
    begun = []
    for sentences in STORIES.values():
        told = [index for index, sentence in enumerate(sentences) if sentence in heard]
        if told:
            return sentences[told[-1] + 1 :]
        begun += [sentences[i:] for i, s in enumerate(sentences) if heard and s.startswith(heard)]
    # Interrupted within the first words: they identify the story only if no other begins like it.
    return begun[0] if len(begun) == 1 else ()


def is_told_in(title: str, heard: str) -> bool:
    """Whether any sentence of this story occurs in the heard part of an answer."""
    return any(sentence in heard for sentence in STORIES[title])


def tell(title: str | None, answers: Sequence[str]) -> tuple[str, ...]:
    """The requested story, otherwise the first that is new to this conversation."""
    if title is None:
        heard = " ".join(answers)
        fresh = (name for name in STORIES if not is_told_in(name, heard))
        title = next(fresh, next(iter(STORIES)))
    return STORIES[title]


def rest(answers: Sequence[str]) -> tuple[str, ...]:
    """The rest of the newest story, from the last sentence that was heard."""
    for index in range(len(answers) - 1, -1, -1):
        left = rest_after(answers[index])
        if left:
            return left
        if any(is_told_in(title, answers[index]) for title in STORIES):
            return ("That was the end of the story.",)
    return ("There is nothing to go on with.", "You can ask me for a story.")
