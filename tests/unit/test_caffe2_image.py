"""What the image's steps print is read: the id from the last line, what was found from the one before."""

from __future__ import annotations

import pulumi
import pytest

from components.caffe2_image import found_in_image, last_line

ID = "sha256:" + "a" * 64


def test_a_build_tells_what_it_found_and_then_the_id() -> None:
    text = f'{{"cuda": "9.2.148", "caffe2_operators": 782}}\n{ID}\n'
    assert found_in_image(text) == {"cuda": "9.2.148", "caffe2_operators": "782"}
    assert last_line(text) == ID


@pytest.mark.parametrize("text", ["", f"{ID}\n", f"no JSON\n{ID}\n", f"[1]\n{ID}\n", f"\n{ID}\n"])
def test_a_build_that_tells_nothing_is_an_error(text: str) -> None:
    with pytest.raises(pulumi.RunError, match="did not say what is in it"):
        found_in_image(text)


def test_a_step_without_a_result_is_an_error() -> None:
    with pytest.raises(pulumi.RunError, match="printed no result"):
        last_line("\n")
