"""`relembra reproduce` finds the recipes in a checkout, and says where they are not."""


def test_outside_of_a_checkout_it_says_so(relembra):
    done = relembra("reproduce", "--list")
    assert done.code == 2
    assert "the recipes are not part of the installed package" in done.err


def test_in_a_checkout_it_hands_on_what_was_asked(relembra, folder):
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "reproduce.py").write_text(
        "import pathlib, sys\npathlib.Path('asked').write_text(' '.join(sys.argv[1:]))\nsys.exit(1)"
    )
    done = relembra("reproduce", "uea", "--data", "here", "--seeds", "4, 5")
    assert done.code == 1
    asked = (folder / "asked").read_text()
    assert asked == "uea --results docs/results.md --seeds 4 5 --data here"
    assert "expected whole numbers" in relembra("reproduce", "--seeds", "a").err
