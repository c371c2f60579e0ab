"""English words that say which way a clause of a RecCoT points, as patterns; all of them in lower case.

A capital letter marks a title or an attribute ("Not Another Teen Movie"), so nothing here matches one.
"""

from __future__ import annotations

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'’-])(?:{'|'.join(phrases)})(?![\w-])")


# Negations that say nothing against what follows.
IDIOMS = _any(
    r"not (?:only|just|merely|simply|to mention|surprising(?:ly)?|afraid of)", r"isn['’]t afraid of", r"nothing but",
    r"no (?:doubt|wonder|less)", r"more or less", r"without a doubt", r"never tires? of", r"can(?:no|['’])t get enough",
    r"no (?:clear|strong|particular) (?:preferences?|favou?rites?|dislikes?)",
)  # fmt: skip

AVOIDED = _any(
    r"not", r"no", r"never", r"nor", r"neither", r"none", r"cannot", r"[a-z]+n['’]t", r"less", r"unlikely", r"rarely",
    r"seldom", r"hardly", r"scarcely", r"little (?:interest|patience|appetite|taste|use)", r"lacks? (?:of )?interest",
    r"dislik\w+", r"avoid\w*", r"hat(?:es?|ed|ing)", r"loath\w+", r"detest\w*", r"despis\w+", r"skip(?:s|ped|ping)?",
    r"reject\w*", r"aver(?:se|sion)", r"resist(?:s|ed|ance)?", r"struggles? (?:with|to)", r"fail(?:s|ed)? to",
    r"sh(?:y|ies|ied) away", r"steers? clear", r"stays? away", r"away from", r"(?:turned|put|puts) off",
    r"(?:cool|cooler|cold|colder|lukewarm) (?:on|to|toward|towards|about)", r"indifferen\w+", r"bor(?:e|es|ed|ing)",
    r"(?:leave|leaves|leaving|left)\b[^,;.]*? cold", r"(?:tired|weary) of", r"disappoint\w*", r"unimpress\w*",
    r"hard(?:er)? to please", r"(?:is|are|be|as|seems?|at) (?:a |more )?risky?",
    r"rat(?:e|es|ed|ing) [^,;.]*?\b(?:low|lower|poorly|badly)", r"(?:low|lower|poor|negative) (?:rat|scor|opinion)\w*",
    r"rather than", r"instead of", r"unlike", r"as opposed to", r"except(?: for)?", r"apart from",
    r"only \d+ ?%", r"pass(?:es|ed|ing)? (?:\w+ )?over",
)  # fmt: skip

OUTLOOK = _any(
    r"should", r"will", r"would", r"(?:they|he|she|it)['’](?:d|ll)", r"expect\w*", r"probably", r"next", r"future",
    r"(?:might|may|could) (?:also |well |even )?(?:enjoy|like|love|appeal|suit|please|appreciate|find|prefer|be)",
    r"likely(?! (?:because|due|as|since))", r"suits?", r"recommend\w*", r"predict\w*", r"anticipat\w+", r"promising",
    r"worth (?:trying|a try)", r"(?:good|safe) (?:bet|choice)",
)  # fmt: skip

# What says how strict a person is, not what they like: "They like 21 of 65 films", "a strict judge".
NEUTRAL = _any(
    r"\d+ (?:% )?of (?:the |their )?(?:last )?\d+", r"with \d[\d,]* liked", r"few of", r"strict\w*", r"generous\w*",
    r"easily pleased", r"choosy", r"choos(?:e|es) with care", r"critical eye",
)  # fmt: skip

LIKED = _any(
    r"drawn to", r"lik(?:e|es|ed|ing|ings)", r"lov(?:e|es|ed|ing)", r"enjoy\w*", r"prefer\w*", r"favou?r\w*",
    r"fond(?:ness)?", r"fans? of", r"keen on", r"partial to", r"soft spot", r"tastes?", r"passion\w*", r"respect\w*",
    r"appreciat\w+", r"admir\w+", r"ador\w+", r"embrac\w+", r"valu(?:e|es|ed)", r"delight\w*", r"attract\w+",
    r"interest(?:ed)? in", r"interests", r"gravitat\w+", r"resonat\w+", r"leans?", r"seeks?(?: out)?", r"chooses?",
    r"go(?:es)? for", r"click\w*", r"(?<!to )pleas(?:e|es|ed|ing)", r"(?<!to )appeals?", r"among their likes",
    r"rat(?:e|es|ed|ing) [^,;.]*?\bhigh(?:ly|er)?", r"high(?:ly|er)? rat\w+",
    # prompt.liked may be any word: "Of Drama they played to the end 80 % (16 of 20)".
    r"(?<!that )(?<!which )they (?:[\w'’-]+ ){1,5}?\d+ ?%",
    # Verbs of doing tell a side by their subject only: "they avoid role play, open endings and long reads".
    r"(?<!that )(?<!which )(?<!whom )(?:they|he|she|user|customer) (?:(?:\w+ly|often) )?(?:b(?:uys?|ought)|"
    r"purchase[sd]?|opens?|opened|watch(?:es|ed)?|play(?:s|ed)?|reads?|finish(?:es|ed)?|stream(?:s|ed)?|order(?:s|ed)?|"
    r"rent(?:s|ed)?|book(?:s|ed)?|listen(?:s|ed)? to)",
)  # fmt: skip
