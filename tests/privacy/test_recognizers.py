"""What is personal or secret in a text, and what only looks like it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipeline.privacy.findings import KINDS, Kind
from pipeline.privacy.recognizers import find
from tests.conftest import ROOT

# Numbers that nobody has: of examples in standards, of test cards, and of ranges kept for films.
FOUND: dict[Kind, list[tuple[str, str]]] = {
    "email": [
        ("Write to jane.doe+news@mail.example.co.uk.", "jane.doe+news@mail.example.co.uk"),
        ("<o'brien_7@example.org>", "o'brien_7@example.org"),
        ("联系我zhang.san@example.com谢谢", "zhang.san@example.com"),
        ("邮箱：ｌｉ＠ｅｘａｍｐｌｅ．ｃｎ。", "ｌｉ＠ｅｘａｍｐｌｅ．ｃｎ"),
        ("QQ邮箱123456789@qq.com，或微信", "123456789@qq.com"),
        ("13812345678@139.com", "13812345678@139.com"),
        ("mailto:a@b.example", "a@b.example"),
        ("write to 'jane@example.com'", "jane@example.com"),
        ("{'to': 'o'brien@example.org'}", "o'brien@example.org"),
        ("Jane Doe ...jane@example.com", "jane@example.com"),
        ("E-mail:-jane@example.com", "jane@example.com"),
        ("_jane@example.com_", "jane@example.com"),
        ("?to=%20jane@example.com", "20jane@example.com"),
    ],
    "phone": [
        ("Call +1 212 555 0123 today", "+1 212 555 0123"),
        ("(+44) 20 7946 0958", "(+44) 20 7946 0958"),
        ("from abroad 0044 20 7946 0958", "0044 20 7946 0958"),
        ("Tel: +49 30 901820.", "+49 30 901820"),
        ("(212) 555-0123", "(212) 555-0123"),
        ("212-555-0123 ext. 44", "212-555-0123 ext. 44"),
        ("1-800-555-1234", "1-800-555-1234"),
        ("212.555.0123", "212.555.0123"),
        ("(212)5550123", "(212)5550123"),
        ("call me on 2125550123", "2125550123"),
        ("my mobile is 212 555 0123", "212 555 0123"),
        ("020 7946 0958", "020 7946 0958"),
        ("0207 946 0958", "0207 946 0958"),
        ("07911 123456", "07911 123456"),
        ("07911123456", "07911123456"),
        ("phone 02079460958", "02079460958"),
        ("her number is 2125550123", "2125550123"),
        ("手机号13812345678。", "13812345678"),
        ("手机号：138-1234-5678", "138-1234-5678"),
        ("他的电话是138 1234 5678吗", "138 1234 5678"),
        ("+86 138 1234 5678", "+86 138 1234 5678"),
        ("0086-13812345678", "0086-13812345678"),
        ("（+86）13812345678", "（+86）13812345678"),
        ("8613812345678", "8613812345678"),
        ("加我１３８１２３４５６７８", "１３８１２３４５６７８"),
        ("联系电话/13912345678", "13912345678"),
        ("座机010-12345678，", "010-12345678"),
        ("（010）12345678", "（010）12345678"),
        ("0755-1234567转801", "0755-1234567转801"),
        ("0571 8765 4321", "0571 8765 4321"),
        ("+86-21-61234567", "+86-21-61234567"),
        ("（+86）0755-12345678", "（+86）0755-12345678"),
        ("客服热线400-123-4567", "400-123-4567"),
        ("電話01012345678，", "01012345678"),
        ("https://example.com/call?tel=13812345678", "13812345678"),
        ("见https://example.com，13812345678", "13812345678"),
        ("2024-05-06 13812345678", "13812345678"),
        ("微信wx13812345678", "13812345678"),
        ("tel13812345678,", "13812345678"),
        ("Call010-12345678", "010-12345678"),
    ],
    "id": [
        ("身份证号11010519491231002X。", "11010519491231002X"),
        ("身份证11010519491231002x", "11010519491231002x"),
        ("身份证号码：１１０１０５１９４９１２３１００２Ｘ", "１１０１０５１９４９１２３１００２Ｘ"),
        ("ID 110105 19491231 002X", "110105 19491231 002X"),
        ("His SSN is 536-90-4399.", "536-90-4399"),
        ("SSN: 536904399", "536904399"),
        ("social security 536 90 4399", "536 90 4399"),
        ("NI number AB 12 34 56 C", "AB 12 34 56 C"),
        ("NINO AB123456C", "AB123456C"),
        ("HKID A123456(3), thanks", "A123456(3)"),
        ("身份證號碼：Ｃ１２３４５６（９）。", "Ｃ１２３４５６（９）"),
        ("ID11010519491231002X", "11010519491231002X"),
        ("her identity card AB9876543", "AB9876543"),
        ("身分證字號A123456789", "A123456789"),
        ("passport no. E12345678", "E12345678"),
        ("护照号码G12345678", "G12345678"),
    ],
    "card": [
        ("Visa 4111 1111 1111 1111, 12/27", "4111 1111 1111 1111"),
        ("4111111111111111", "4111111111111111"),
        ("4111-1111-1111-1111", "4111-1111-1111-1111"),
        ("5555555555554444", "5555555555554444"),
        ("2223003122003222", "2223003122003222"),
        ("3782 822463 10005", "3782 822463 10005"),
        ("30569309025904", "30569309025904"),
        ("卡号6222021234567890128", "6222021234567890128"),
        ("银行卡６２２２０２１２３４５６７８９０１２８", "６２２２０２１２３４５６７８９０１２８"),
        ("4111 1111 1111 1111 123", "4111 1111 1111 1111"),
        ("4111111111111111,123", "4111111111111111"),
        ("2027 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ],
    "iban": [
        ("to DE89 3704 0044 0532 0130 00 AND soon", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432", "GB82WEST12345698765432"),
        ("账号FR14 2004 1010 0505 0001 3M02 606。", "FR14 2004 1010 0505 0001 3M02 606"),
    ],
    "secret": [
        ("export HF_TOKEN=hf_" + "aB" * 17, "hf_" + "aB" * 17),
        ("ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9),
        ("github_pat_" + "a1B2_" * 8, "github_pat_" + "a1B2_" * 8),
        ("key：AKIAIOSFODNN7EXAMPLE。", "AKIAIOSFODNN7EXAMPLE"),
        ("sk-proj-" + "a1B2-" * 8 + "z", "sk-proj-" + "a1B2-" * 8 + "z"),
        ("密钥是sk-" + "0a1b" * 8 + "，别外传", "sk-" + "0a1b" * 8),
        ("AIza" + "0a1B-" * 7, "AIza" + "0a1B-" * 7),
        ("xoxb-123456789012-123456789012-abcDEF", "xoxb-123456789012-123456789012-abcDEF"),
        ("https://anna:hunter22@db.example.com/x", "hunter22"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123"),
        ("bot 123456789:" + "aB_-1" * 7, "123456789:" + "aB_-1" * 7),
        ("LTAI" + "5tAb" * 5, "LTAI" + "5tAb" * 5),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY----- b",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
        ),
        ("-----BEGIN PRIVATE KEY-----\n" + "aB/+" * 16 + "\ncut off", "-----BEGIN PRIVATE KEY-----\n" + "aB/+" * 16),
        ("It begins with -----BEGIN EC PRIVATE KEY----- and so on.", "-----BEGIN EC PRIVATE KEY-----"),
    ],
}

NOTHING = [
    "In 1999, 2000 and 2001 the 1,234,567 people paid $12,345.67.",
    "2024-05-06 12:34:56, 2024/05/06, 06.05.2024, 20240506, 20240506123456",
    "2024年5月6日12时34分56秒，售价￥13812345678，约13812345678元",
    "2019-2021 2010 2011 2012 2013 2014 2015",
    "ISBN 978-0-306-40615-7, ISBN 0-13-110362-8, ISSN 1234-5678",
    "0.123456789012345 and 1.4111111111111111e+15, -0.13812345678, 13812345678.50",
    "version 10.12.3456, 1.2.3.4567, 192.168.100.200, v4.57.1",
    "550e8400-e29b-41d4-a716-446655440000",
    "00000000-4111-1111-1111-111111111111",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "commit 4111111111111111111111111111111111111111",
    "https://example.com/status/13812345678 and https://example.com/4111111111111111",
    "row 12345678901, id 4111111111111112, order 2125550123, tweet 1234567890123456789",
    "4006381333931 is an EAN; 4111 1111 1111 1112 fails its check",
    "unix 1700000000, 1700000000000, 1700000000000000000",
    "212 555 0123 people of 300 400 5000",
    "order 861012345678, 212,555,0123, document 346960-0002, 212555-0123",
    "01234567890 and 02079460958 are zero-padded, 编号01012345678",
    "110105194912310021 has the wrong check digit, 990105194912310020 the wrong place",
    "part 000-12-3456, 666-12-3456, 900-12-3456, 123 45 6789, 536904399",
    "BG123456C, DA 12 34 56 C, AB123456E",
    "part A123456(4), C1234567, A123456788, bolt E12345678 with 123456789 turns",
    "DE89 3704 0044 0532 0130 01",
    "a@b, @handle, user@localhost, icon@2x.png, lodash@4.17.21, git@github.com:a/b.git",
    "see you @ example.com",
    "class Sk-Learn, risk-assessment-of-a-very-long-hyphenated-word, hf_model",
    "APPARENTLY THE ASIAN APEXPREDATOR ATE; task-9f86d081884c7d659a2feaa0c55ad015",
    "the password is secret, and the secret: \"be kind\"",
    "https://example.com:8080/path@2 and http://user@example",
    "验证码123456，订单号20240506000012345，邮编100000，共12345678元",
    "他1998年出生，身高175cm，学号2019012345，车牌京A12345",
    "scores 0.8622 (0.8112 to 0.9082) | 1,164 | 580 | 584 |",
    "１９９９年，２０００年",
    "",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "found"), [(k, *pair) for k, pairs in FOUND.items() for pair in pairs])
def test_what_is_personal_or_secret_is_found_whole(kind: Kind, text: str, found: str) -> None:
    assert [(each.kind, each.text) for each in find(text)] == [(kind, found)]
    (only,) = find(text)
    assert text[only.start : only.end] == found


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert find(text) == []


def test_many_in_one_text_come_in_order_and_apart() -> None:
    text = "、".join(found for pairs in FOUND.values() for _, found in pairs if "\n" not in found)
    found = find(text)
    assert [one.end <= other.start for one, other in pairwise(found)] == [True] * (len(found) - 1)
    assert {each.kind for each in found} == set(KINDS)
    assert find(text) == found


def test_only_the_kinds_asked_for_are_found() -> None:
    text = "a@example.com 13812345678 4111111111111111"
    for kind in ("email", "phone", "card"):
        assert [each.kind for each in find(text, [kind])] == [kind]


def test_a_number_with_a_better_proof_is_no_telephone_number() -> None:
    assert find("6222 0212 3456 7890 128", ["phone"]) == []
    assert [each.kind for each in find("11010519491231002X")] == ["id"]


def test_a_telephone_number_in_an_address_is_found_where_addresses_are_not() -> None:
    assert [each.text for each in find("13812345678@139.com", ["phone"])] == ["13812345678"]


def test_a_word_that_says_what_a_number_is_counts_in_its_own_field_only() -> None:
    assert find("phone\x1f2125550123") == []
    assert len(find("phone 2125550123")) == 1


def test_the_page_shows_how_to_find_from_python(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    exec(page.partition("```python\n")[2].partition("```")[0], {})
    assert capsys.readouterr().out == "phone 5 19 (212) 555-0123\nemail 33 47 me@example.com\n"


def test_the_page_tells_the_truth_of_its_examples() -> None:
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    table = page.partition("| kind |")[2].partition("**Not found:**")[0]
    for kind, example in [
        ("email", "联系我zhang.san@example.com谢谢"), ("phone", "+44 20 7946 0958"), ("phone", "13812345678"),
        ("phone", "138-1234-5678"), ("phone", "010-12345678"), ("phone", "（010）12345678转801"), ("phone", "400-123-4567"),
        ("phone", "020 7946 0958"), ("phone", "07911123456"), ("phone", "(212) 555-0123"), ("phone", "212.555.0123"),
        ("id", "536-90-4399"), ("id", "AB 12 34 56 C"), ("phone", "call 2125550123"), ("phone", "电话01012345678"),
        ("id", "SSN 536904399"),
    ]:  # fmt: skip
        assert example in table
        assert [found.kind for found in find(example)] == [kind]
