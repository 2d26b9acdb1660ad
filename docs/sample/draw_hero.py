"""Draw the sample hero from the pixel maps below: one original character in five layers of 32 × 32
to learn, and once on 64 × 64, seen from the front, to animate.

Run it again after changing a map: `python docs/sample/draw_hero.py` writes hero.ora and
hero-front.png beside itself.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from modelsheet.imaging.openraster import Layer, write_document

CANVAS = (32, 32)
LARGE_CANVAS = (64, 64)
GROUND = 62  # the row below the feet on the large canvas
Place = tuple[int, int]

# One letter, one colour. Capitals are lit, small letters in shade; the light falls from upper left.
PALETTE = {
    "K": (22, 14, 30),  # outline
    "Q": (255, 196, 92),  # hair: light, middle, dark
    "O": (244, 126, 28),
    "o": (178, 70, 20),
    "S": (250, 206, 168),  # skin
    "s": (212, 146, 110),
    "e": (44, 28, 66),  # eyes
    "m": (196, 92, 84),  # mouth
    "L": (112, 236, 214),  # poncho
    "T": (22, 176, 168),
    "t": (12, 112, 122),
    "Y": (255, 226, 70),  # star and buckle
    "y": (220, 158, 28),
    "B": (124, 74, 44),  # leather and wood
    "b": (80, 44, 30),
    "W": (244, 236, 220),  # trousers
    "w": (186, 170, 164),
    "V": (160, 76, 190),  # boots
    "v": (98, 40, 130),
    "I": (236, 244, 250),  # steel
    "i": (150, 164, 184),
    "j": (92, 104, 130),
    "R": (228, 56, 62),  # shield
    "r": (150, 26, 48),
    "C": (176, 250, 255),  # crystal
    "c": (74, 178, 240),
    "G": (74, 176, 58),  # cloak
    "g": (36, 112, 46),
    "d": (20, 70, 38),
    "F": (255, 250, 190),  # flame
    "f": (255, 176, 48),
}

BODY = """
..........KKK..........
.........KQOoK.........
.........KOOoK.........
........KKOoKKK........
........KQOOOoK........
.......KQQOOOOoK.......
.......KQOSOSSoK.......
.......KOSeSeSoK.......
.......KOSSSSsoK.......
.......KoSSmSsoK.......
.......KKLsssTKK.......
.....KKLLTTTTTttKK.....
....KLLLtttttttTttK....
...KLLLLTTTTTTTTTttK...
..KWKLLTTTTYTTTTttKwK..
.KWWKLTTTYYYYYTTTtKWwK.
.KWwKLTTTTYYYTTTttKWwK.
KWWwKKLTTTyTyTTttKKWwwK
KSSKK.KLTTTTTTtLK.KKSsK
KSsK..KKLTTTTtLKK..KSsK
.KK....KKLTTtLKK....KK.
.......KBKLtLKbK.......
.......KWWKLKWwK.......
......KWWWWKWWwwK......
......KWWWwKWWwwK......
.....KWWWwKKKWWwwK.....
.....KWWWwK.KWWwwK.....
.....KVVVvK.KVVvvK.....
....KVVVvK...KVVvvK....
...KVVVVvK...KVVVvvK...
...KKKKKKK...KKKKKKK...
"""

STAFF = """
...K...
..KCK..
.KFCcK.
KFCCccK
KCCccjK
.KccjK.
KYKjKyK
.KYYyK.
..KBK..
..KBK..
..KbK..
..KBK..
..KBK..
..KbK..
..KBK..
..KBK..
..KbK..
..KBK..
..KSSs.
..KSss.
..KBKK.
..KBK..
..KbK..
..KBK..
..KBK..
..KbK..
..KBK..
..KBK..
..KbK..
..KYK..
...K...
"""

SWORD = """
...KK..
..KIiK.
..KIiK.
..KIiK.
..KIiK.
..KIiK.
..KIiK.
..KIiK.
..KIiK.
..KIiK.
..KIiK.
..KIjK.
..KIjK.
KKKIjKK
KYYYYyK
KKKBKKK
..KSSs.
..KSss.
..KBbK.
..KYyK.
...KK..
"""

SHIELD = """
....KKKK....
..KKIIIiKK..
.KIIRRRRiiK.
.KIRRRRRRiK.
KIRRRYYRRriK
KIRRYFYYRriK
KIRRYYYyRriK
KIRRRYyRrrjK
.KiRRRRrrjK.
.KiirrrrjjK.
..KKiijjKK..
....KKKK....
"""

LANTERN = """
..KKK..
.KyKyK.
KKKKKKK
KYFFfyK
KYFFfyK
KYFfOyK
KYFFfyK
KKKKKKK
.KYyyK.
..KKK..
"""

CLOAK = """
....KKKKKKKKKKKKKKK....
...KGGGGGGGGGGGGGGgK...
...KGGgddddddddddggK...
...KGGgddddddddddggK...
...KGGgddddddddddggK...
..KKGGgddddddddddggK...
..KGGggddddddddddgggK..
..KGGgdddddddddddggdK..
..KGGgdddddddddddggdK..
..KGGgdddddddddddggdK..
.KGGggdddddddddddgggdK.
.KGGgddddddddddddgggdK.
.KGGgddddddddddddggddK.
.KGGgddddddddddddggddK.
KGGgggdddddddddddgggddK
KGGggddddddddddddgggddK
KGGgdgddddddddddddggddK
KGgKKKKddKKdddKKdKKKgdK
KKK..KKKK.KKKK.KKK.KKKK
"""

# The same hero larger; each row is centred.
FRONT = """
KKKKK
KQOOOoK
KQOOooK
KOOOooK
KKYyyKK
KKKQOOOoKKK
KKQQQOOOOOoooKK
KQQQQOOOOOOoooooK
KQQQOOOOOOOOOoooooK
KQQOOSOOOOOSOOooooK
KQQOSSSOOOSSSSOoooK
KQOOSSSSOSSSSSsOooK
KQOSSeeSSSSSeesSOoK
KQOSSeeSSSSSeesSOoK
KOOSSeeSSSSSeesSooK
KOOKSSSSSSsSSSsKooK
KOoKSSSSSssSSSsKooK
KOoKKSSSSmmSSsKKooK
KoKKSSSSSSSssKKoK
KKKKsssssssKKKK
KKKKLLsssssTTKKKK
KKLLLLLTTsTTTTtttKK
KKLLLLLLTTTTTTTTtttttKK
KLLLLLLTTTTTTTTTTTTtttttttK
KLLLLLTTttttttttTTTTttttttK
KLLLLTTTTTTTTTTTTTTTTtttttK
KWKLLLTTTTTTTYTTTTTTttttKwK
KWWKLLTTTTTTYYYTTTTTtttKwwK
KWWKLLTTTTYYYYYYYTTTtttKwwK
KWwKLLTTTTTYYYYYTTTTtttKwwK
KWwKKLTTTTTYYyYyTTTttttKwwK
KWwKKLTTTTYYTTTyyTTtttKKwwK
KSSKKKLTTTTTTTTTTTtttKKKSsK
KSSK.KKLTTTTTTTTTtttKK.KSsK
KSsK..KKLTTTTTTTtttKK..KSsK
.KK....KKLLTTTTTttKK....KK.
KKBBLTTTtbbKK
KBBBBLTtbbbbK
KWWWWWKLKwwwwwK
KWWWWWWKWwwwwwK
KWWWWWwKWWWwwwK
KWWWWwwKWWWwwwK
KWWWWwK.KWWwwwK
KWWWWwK.KWWwwwK
KWWWwwK.KWWwwwK
KWWWwK...KWwwwK
KVVVvK...KVvvvK
KVVVvvK.KVVvvvK
KVVVVvK.KVVVvvK
KVVVVvvK.KVVVvvvK
KVVVVvvK.KVVVvvvK
KKKKKKKK.KKKKKKKK
"""

# What each layer shows, back to front; the names say what it shows beyond the plain hero.
LAYERS: dict[str, list[tuple[str, Place]]] = {
    "plain": [(BODY, (5, 1))],
    "holding staff": [(BODY, (5, 1)), (STAFF, (2, 1))],
    "holding sword, with round shield": [(BODY, (5, 1)), (SWORD, (2, 3)), (SHIELD, (20, 14))],
    "with lantern": [(BODY, (5, 1)), (LANTERN, (22, 21))],
    "green cloak": [(CLOAK, (5, 12)), (BODY, (5, 1))],
}


def draw(parts: list[tuple[str, Place]]) -> Image.Image:
    """Paint the pixel maps over each other, each with its upper left corner at its place."""
    image = Image.new("RGBA", CANVAS)
    for pixel_map, (left, top) in parts:
        for y, row in enumerate(pixel_map.split()):
            _draw_row(image, row, left, top + y)
    return image


def draw_front() -> Image.Image:
    """Paint the larger hero, standing on the ground in the middle."""
    image, rows = Image.new("RGBA", LARGE_CANVAS), FRONT.split()
    for y, row in enumerate(rows):
        _draw_row(image, row, (LARGE_CANVAS[0] - len(row)) // 2, GROUND - len(rows) + y)
    return image


def _draw_row(image: Image.Image, row: str, left: int, y: int) -> None:
    for x, letter in enumerate(row):
        if letter != ".":
            image.putpixel((left + x, y), (*PALETTE[letter], 255))


def main() -> None:
    """Write hero.ora and hero-front.png beside this script."""
    layers = [Layer(name, draw(parts)) for name, parts in LAYERS.items()]
    write_document(Path(__file__).with_name("hero.ora"), layers, CANVAS)
    draw_front().save(Path(__file__).with_name("hero-front.png"), optimize=True)


if __name__ == "__main__":
    main()
