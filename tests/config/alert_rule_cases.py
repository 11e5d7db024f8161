"""Each rule of alerts.toml: the lines that break it, marked `# !`, and nearly the same ones that do not."""

from __future__ import annotations

WHOLE = """
[contacts]
primary = "+1-555-0001"
[contacts.manager]
email = "manager@example.org"
[levels.P0]
respond_within_s = 300
routes = ["page"]
escalate = ["primary", "manager"]
[levels.P1]
respond_within_s = 1800
escalate = ["manager"]
[levels.P2]
respond_within_s = 7200
routes = ["mail", "hook"]
[routes.page]
kind = "pagerduty"
routing_key_file = "keys/pagerduty.key"
[routes.mail]
kind = "email"
host = "smtp.example.org"
sender = "jitctl@example.org"
to = ["oncall@example.org", "desk@example.org"]
[routes.hook]
kind = "webhook"
url = "https://hooks.example.org/jit"
[rules.down]
metric = "system_down"
level = "P0"
[rules.success]
metric = "success_rate"
below = { P1 = 0.2, P2 = 0.4 }
min_attempts = 20
[rules.losses]
metric = "loss_usd"
above.P0 = 10_000
above.P1 = 1_000
"""
"""A file that breaks no rule: each case exchanges a part of it."""


def case(old: str, bad: str, good: str, *also: tuple[str, str]) -> tuple[str, str]:
    """Return the file with `old` exchanged for `bad`, and for `good`; `also` is exchanged in both."""
    text = WHOLE
    for before, after in also:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    assert text.count(old) == 1, old
    return text.replace(old, bad), text.replace(old, good)


PHONE = 'primary = "+1-555-0001"'
MANAGER = '[contacts.manager]\nemail = "manager@example.org"'
TO = 'to = ["oncall@example.org", "desk@example.org"]'
SENDER = 'sender = "jitctl@example.org"'
HOOK = 'url = "https://hooks.example.org/jit"'
KEY_FILE = 'routing_key_file = "keys/pagerduty.key"'
CALLED = 'escalate = ["primary", "manager"]'
DOWN = 'metric = "system_down"\nlevel = "P0"'
BELOW = "below = { P1 = 0.2, P2 = 0.4 }"
KEY = "0123456789abcdef0123456789ABCDEF"
UNTOLD = "[levels.P0] # !\nrespond_within_s = 300\n[rules.down]\n" + DOWN + "\n"

CASES: dict[str, list[tuple[str, str]]] = {
    "JC401": [case(MANAGER, "[contacts.manager] # !", '[contacts.manager]\nslack = "U012"')],
    "JC402": [
        case(PHONE, 'primary = "1-555-0001" # !', 'primary = "+15550001"'),
        case(PHONE, 'primary = "+49 / - / 30" # !', 'primary = "+49 30/1234 - 567"'),
        case(PHONE, 'primary = "+1-555" # !', 'primary = "+44 20 7946 0958"'),
        case(PHONE, 'primary = "+1-555-0001 ext" # !', 'primary = "+1 (555) 0001"'),
        case(PHONE, 'primary = "+1-555-000\u0661" # !', 'primary = "+1.555.0001"'),
        case(PHONE, 'primary = { phone = "nobody" } # !', 'primary = { phone = "+1-555-0911" }'),
        case('email = "manager@example.org"', 'email = "manager@" # !', 'email = "m.a+x@mail.example.org"'),
        case('email = "manager@example.org"', 'email = "a b@example.org" # !', 'email = "ab@example.org"'),
        case('email = "manager@example.org"', 'email = "a@ex..org" # !', 'email = "a@bücher.example"'),
        case(TO, 'to = ["a@example.org",\n"desk.example.org"] # !', 'to = ["a@example.org",\n"desk@host"]'),
        case(SENDER, 'sender = "jitctl" # !', 'sender = "jitctl@bot"'),
    ],
    "JC403": [
        case(DOWN, 'metric = "system_down"\nlevel = "P3" # !', DOWN),
        case(BELOW, "below.P1 = 0.2\nbelow.P3 = 0.4 # !", "below.P1 = 0.2\nbelow.P2 = 0.4"),
        case(BELOW, "below.P3 = 0.4 # !", "below.P3 = 0.4\nenabled = false"),
    ],
    "JC404": [
        case(
            '[levels.P1]\nrespond_within_s = 1800\nescalate = ["manager"]',
            "[levels.P1] # !\nrespond_within_s = 1800",
            '[levels.P1]\nrespond_within_s = 1800\nroutes = ["mail"]',
        ),
    ],
    "JC405": [
        case(
            'routes = ["page"]',
            "",
            'routes = ["mail"]',
            ("[levels.P0]", "[levels.P0] # !"),
            ('routes = ["mail", "hook"]', 'routes = ["mail", "hook", "page"]'),
        ),
        case(CALLED, "", 'escalate = ["primary"]', ("[levels.P0]", "[levels.P0] # !")),
        case(CALLED, 'escalate = ["manager"] # !', 'escalate = ["manager", "primary"]'),
        case(CALLED, "escalate = [] # !", CALLED, (MANAGER, '[contacts.manager]\npagerduty = "P1"')),
    ],
    "JC406": [case('routes = ["page"]', 'routes = ["page", "pager"] # !', 'routes = ["page", "mail"]')],
    "JC407": [case(CALLED, 'escalate = ["primary", "mannager"] # !', CALLED)],
    "JC408": [
        case(CALLED, 'escalate = ["primary",\n"manager", "primary"] # !', CALLED),
        case('routes = ["page"]', 'routes = ["page", "page"] # !', 'routes = ["page", "hook"]'),
    ],
    "JC409": [
        case(
            'routes = ["mail", "hook"]',
            'routes = ["mail"]',
            'routes = ["hook", "mail"]',
            ("[routes.hook]", "[routes.hook] # !"),
        )
    ],
    "JC410": [
        case("respond_within_s = 1800", "respond_within_s = 300 # !", "respond_within_s = 300.5"),
        case("respond_within_s = 7200", "respond_within_s = 1799 # !", "respond_within_s = 1801"),
    ],
    "JC411": [case('metric = "system_down"', 'metric = "sytem_down" # !', 'metric = "node_disconnected"')],
    "JC412": [
        case(DOWN, 'metric = "system_down"\nabove = { P0 = 0 } # !\nlevel = "P0"', DOWN),
        case(BELOW, "above = { P1 = 0.2 } # !", BELOW),
        case(BELOW, "", BELOW, ("[rules.success]", "[rules.success] # !")),
        case(BELOW, "below = {} # !", "below = { P2 = 0.4 }"),
        case(BELOW, BELOW + '\nlevel = "P1" # !', BELOW + "\nfor_s = 60"),
    ],
    "JC413": [
        case(BELOW, "below = { P1 = 0.4, P2 = 0.2 } # !", BELOW),
        case(BELOW, "below = { P1 = 0.4, P2 = 0.4 } # !", "below = { P1 = 0.4, P2 = 0.41 }"),
        case("above.P1 = 1_000", "above.P1 = 20_000 # !", "above.P1 = 9_999"),
    ],
    "JC414": [
        case(BELOW, "below = { P1 = 20 } # !", "below = { P1 = 1 }"),
        case(BELOW, "below = { P1 = 0 } # !", "below = { P1 = 0.001 }"),
        case("above.P1 = 1_000", "above.P1 = -1 # !", "above.P1 = 0"),
    ],
    "JC415": [
        case(KEY_FILE, f'routing_key_file = "{KEY}" # !', f'routing_key_file = "keys/{KEY}"'),
        case(HOOK, 'url_file = "https://hooks.example.org/jit" # !', 'url_file = "keys/hook.url"'),
        case(HOOK, f'url = "https://hooks.example.org/{KEY}" # !', 'url = "https://hooks.example.org/0123"'),
        case(HOOK, 'url = "https://x.example.org/?api_key=1" # !', 'url = "https://x.example.org/?team=1"'),
        case(
            HOOK,
            'url = "https://x.example.org/0f8fad5b-d9cb-469f-a165-70867728950e" # !',
            'url = "https://x.example.org/jit-liquidity-bot-prod-2/?projectKey=OPS"',
        ),
        case(HOOK, f'url = "https://x.example.org/bot1:{KEY[:20]}Z/" # !', HOOK),
        case(HOOK, 'url = "https://hooks.slack.com/services/T1" # !', HOOK),
        case(HOOK, HOOK + '\ntoken_file = "xoxb-12-ab" # !', HOOK + '\ntoken_file = "keys/xoxb-12"'),
    ],
    "JC416": [
        case(HOOK, 'url = "http://hooks.example.org/jit" # !', 'url = "http://127.0.0.1:8080/jit"'),
        case(HOOK, 'url = "http://10.0.0.1/" # !', 'url = "http://[::1]:8080/"'),
        case(HOOK, 'url = "http://localhost.example.org/" # !', 'url = "http://localhost/"'),
        case(
            'host = "smtp.example.org"',
            'host = "smtp.example.org"\ntls = "none" # !',
            'host = "127.0.0.1"\ntls = "none"',
        ),
    ],
    "JC417": [
        case(SENDER, SENDER + '\nuser = "me" # !', SENDER + '\nuser = "me"\npassword_file = "p"'),
        case(SENDER, SENDER + '\npassword_file = "p" # !', SENDER),
    ],
    "JC418": [(UNTOLD, UNTOLD + "enabled = false\n"), (UNTOLD, WHOLE)],
    "JC419": [
        case("min_attempts = 20", "min_attempts = 0 # !", "min_attempts = 1"),
        case("min_attempts = 20", "", "enabled = false", ("[rules.success]", "[rules.success] # !")),
    ],
    "JC420": [
        case(DOWN, DOWN + '\nrunbook = "High latency" # !', DOWN + '\nrunbook = "high-latency"'),
        case(DOWN, DOWN + '\nrunbook = "ftp://x" # !', DOWN + '\nrunbook = "https://x.example.org/#a"'),
    ],
    "JC121": [
        case(HOOK, "", 'url_file = "keys/hook.url"', ("[routes.hook]", "[routes.hook] # !")),
        case(HOOK, HOOK + '\nurl_file = "a"', HOOK, ("[routes.hook]", "[routes.hook] # !")),
    ],
}
"""Rule by rule: a file that breaks it, at the line marked `# !`, and one that does not."""
