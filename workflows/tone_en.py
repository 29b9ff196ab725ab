"""Tone in English: what hurts a departing customer, why, and what to write instead (P-27)."""

from __future__ import annotations

import re

from workflows.tone_rules import Habit, Rule, Tongue
from workflows.tone_turns_en import TURNS

_TOLD = (
    r"(?:tell|told|say|said|ask|asked|raise|raised|warn|warned|inform|informed|let|come|given|give|use|used|read|train"
    r"|trained|flag|flagged|mention|mentioned|involve|involved|contact|contacted|speak|spoken|spoke|know|known|think"
    r"|thought|report|reported|answer|answered|reply|replied|respond|responded|listen|listened|follow|followed|attend"
    r"|attended|pay|paid|plan|planned|prepare|prepared|show|showed|shown|check|checked|notice|noticed|try|tried"
    r"|invest|invested|spend|spent|take|took|taken|make|made|call|called|write|wrote|written|act|acted|react|reacted"
    r"|complain|complained|adopt|adopted|sign|signed|engage|engaged|complete|completed|provide|provided|send|sent"
    r"|keep|kept|honou?r|honou?red|do|done|did|cooperate|cooperated|bother|bothered|commit|committed|start|started"
    r"|set up|reach out|reached out|speak up|spoken up|been (?:more|clearer|honest|open|quicker|faster|better))"
)
_TAKE_AWAY = (
    r"(?:delete|erase|wipe|destroy|suspend|block|freeze|lock|disable|terminate|disconnect|withhold|shut down|shut off"
    r"|cut|cut off|switch off|turn off|hold back|remove)(?:d|ed|ing|n)?"
)
_PAY = r"(?:pay|paid|payment|sign|signed|settle|settled|comply|renew|renewed|invoice|refuse|insist|leave)"
_YOURS = r"(?:data|exports?|files?|access|accounts?|documents?|backups?|deposit|content|domains?|everything)"
_WE_WILL = r"(?:we|i) (?:will|shall|must|may|have to|are going to|would|would have to|are forced to|will be forced to)"

_HABITS = (
    Habit(
        Rule.BLAME,
        "It tells people what they should have done, when nothing can be changed any more.",
        "Say what you take from it: “We would have liked to hear it earlier, and will ask sooner next time.”",
        (
            rf"you (?:really |simply |clearly |maybe |perhaps )?(?:should|could|might|ought to)(?: at least| simply|"
            rf" just"
            rf"| not)? have(?: at least| simply| just| also| easily)? {_TOLD}",
            rf"(?:if (?:only )?you had|had you)(?: only| just| simply| at least)? {_TOLD}",
            r"it was (?:up to you|your job|your responsibility|your duty|on you)",
            r"you were (?:supposed|meant|expected) to",
        ),
    ),
    Habit(
        Rule.BLAME,
        "It counts up what people did not do; whoever reads that stops listening.",
        "Leave the past out, or name the fact without a culprit: “We did not manage to meet after March.”",
        (
            rf"you (?:never|rarely|hardly ever|did not|do not|have not|have never|had not|failed to|neglected to"
            rf"|refused to|forgot to|omitted to|chose not to)(?: once| really| even| ever| properly| fully)? {_TOLD}",
            rf"your (?:team|people|colleagues|users|staff|side|management|company) (?:never|did not|do not|has not|have"
            rf" not|failed to|neglected to|refused to|hardly|barely)(?: really| even| ever| properly| fully)? {_TOLD}",
            r"you (?:have )?(?:ignored|wasted|misled|hidden|hid|neglected|mishandled|abandoned the|dragged|broken your"
            r"|broke your|kept (?:us|this|it|quiet|silent))",
            r"you (?:made|took|chose|picked) the wrong",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.BLAME,
        "It makes the end somebody's fault, and that somebody is the reader.",
        "Speak of us: “We did not get it to work for you, and we are sorry.”",
        (
            r"your (?:own |team's )?(?:fault|negligence|lack of|failure to|refusal to|inability to|unwillingness to"
            r"|indecision|poor|slow|sloppy|silence|lateness|passivity|constant|missing|own mistakes?)",
            r"(?:because of|due to|owing to) (?:your|you) (?:delays?|late|slow|lack|decisions?|refusal|silence"
            r"|mistakes?"
            r"|changes|team|failure|hesitation|not)",
            r"(?:you are|you alone are|you were) (?:to blame|at fault|responsible for (?:this|the|that) (?:failure"
            r"|situation|delays?|outcome|result|problems?|mess))",
            r"blame (?:lies|is|rests) (?:with|on) (?:you|your)",
            r"as (?:we|i) (?:have )?(?:told|warned|explained to|reminded|said to) you ~ (?:times|repeatedly|before"
            r"|already|again and again|often)",
            r"as (?:we|i) (?:have )?(?:repeatedly|already|often) (?:told|warned|explained|reminded|said)",
        ),
    ),
    Habit(
        Rule.THREAT,
        "It threatens. A customer who leaves under a threat tells others, and some of it may be unlawful.",
        "Say what happens anyway, and what stays safe: “Access closes on 30 June; nothing is deleted before you"
        " confirm.”",
        (
            rf"(?:or|otherwise|or else|failing that|failing which) (?:{_WE_WILL}) ~ (?:{_TAKE_AWAY}|take legal|take you"
            rf"|sue|charge|invoice|bill|claim|report|involve|hand|pass|publish|enforce|stop|close|demand)",
            rf"(?:if you (?:do not|fail to|refuse to|have not|are not|leave|cancel|insist|stop)|unless you|until you"
            rf"|unless (?:we receive|payment|the invoice)) ~ (?:will|shall|may|must|can|are going to|would) ~"
            rf" (?:{_TAKE_AWAY}|take legal|sue|charged?|fined?|penalty|lose|claim|report|court|lawyers?|collection)",
            rf"(?:{_WE_WILL}|will be|are|is going to be) ~ {_TAKE_AWAY} ~ (?:unless|until|if) (?:you|payment|the"
            rf" invoice|we) ~~ {_PAY}",
            rf"(?:{_YOURS}|account|service) ~ (?:will be|gets|get|is|are) {_TAKE_AWAY} ~~ (?:unless|if you|until"
            rf" you) ~~"
            rf" {_PAY}",
        ),
    ),
    Habit(
        Rule.THREAT,
        "It holds what belongs to the customer as a pledge, which they will not forget and the law may not allow.",
        "Keep the two apart: “Your export is ready now. About the open invoice, [name] will call you.”",
        (
            rf"(?:will|can|shall|do|are|is|be) (?:not|only) ~~ (?:release|return|hand over|handed over|export|give"
            rf"|given"
            rf"|get|send|sent|transfer|transferred|restore|restored|provide|receive|released|returned) ~~ (?:unless"
            rf"|until"
            rf"|once|when|before|as long as|after|if) ~~ {_PAY}",
            rf"no (?:{_YOURS}|handover|refund|transfer|transition) ~ (?:unless|until|without|before|as long as) ~~"
            rf" {_PAY}",
            rf"(?:hold|keep|withhold|retain)(?:ing)?(?: back)? ~ your {_YOURS} (?:until|unless|hostage|as long as) ~~"
            rf" {_PAY}",
        ),
        deniable=False,
    ),
    Habit(
        Rule.THREAT,
        "It threatens with lawyers, penalties or consequences where a call between two people would do.",
        "Offer to talk: “There is an open question about the invoice. May I call you about it this week?”",
        (
            r"(?:take|taking|begin|start|initiate|consider|face|resort to|forced into|pursue|seek|launch) ~ (?:legal"
            r"|court) (?:action|steps|proceedings|measures|advice|consequences)",
            r"(?:our|the|my) (?:lawyers?|solicitors?|attorneys?|legal (?:team|department|counsel)) ~ (?:will|shall|have"
            r" been|is going to|are going to|stand|are ready|is ready|know)",
            r"(?:hand|pass|turn|transfer|give|escalate)(?:ed|ing)? ~ (?:to|over to) (?:our |a |the )?(?:lawyers?"
            r"|solicitors?|attorneys?|debt|collection|collections|legal department|bailiffs?)",
            r"(?:see|take|meet) you in court",
            r"(?:sue|prosecute|blacklist) (?:you|your)",
            r"you (?:will|would|may|could) be (?:sued|fined|prosecuted|blacklisted|penali[sz]ed|taken to court|liable)",
            r"(?:face|bear|suffer|accept|live with|be ready for|responsible for|beware of) ~ consequences",
            r"(?:there will be|this will have|your decision will have) ~ consequences",
            r"you will (?:come to |soon |certainly |surely |live to )?(?:regret|be sorry|pay for)",
            r"(?:last|final) (?:warning|notice|demand) (?:before|from|to you|to pay)|this is (?:your|our|the|a) (?:last"
            r"|final) (?:warning|notice|demand)",
            r"reserve (?:ourselves |all )?(?:the |our )?rights? (?:to|and remedies) ~ (?:claim|suspend|delete|charge"
            r"|take"
            r"|publish|withhold|sue|block|pursue|terminate|recover)",
            r"(?:penalt(?:y|ies)|late fees?|surcharges?|cancellation fees?|exit fees?) ~ (?:will|shall) (?:be|apply"
            r"|follow"
            r"|become)",
            r"(?:charge|invoice|bill) you ~ (?:penalt(?:y|ies)|late fees?|surcharge|cancellation fee|exit fee|double)",
            r"make ~ (?:hard|difficult|unpleasant|public|painful|sure everyone) (?:for you|if you|unless|knows)",
        ),
    ),
    Habit(
        Rule.GUILT,
        "It makes people feel guilty for a decision that is theirs to take.",
        "Thank without a bill: “Thank you for these years. We learned a lot from you.”",
        (
            r"after (?:all|everything|all the \w+|so many \w+|these years)(?: that| of what)? (?:we|i)(?: have)?(?:"
            r" ever)?"
            r" (?:did|done|given|gave|put|invested|sacrificed|went through)(?! together)",
            r"how (?:could|can) you (?:do|leave|even|just|turn|walk|abandon|treat|drop|forget)",
            r"(?:is )?this (?:is )?(?:how|the way) you (?:thank|repay|treat|reward)",
            r"you owe (?:us|it to|me)(?! (?:nothing|no))",
            r"(?:a (?:little|bit of|minimum of)|some|more|show) (?:loyalty|gratitude)",
            r"ungrateful|ingratitude|(?:should|ought to) be ashamed|shame on",
            r"(?:we|i) (?:gave|have given|sacrificed|have sacrificed) ~ (?:everything|so much|all|nights|weekends"
            r"|evenings)",
            r"(?:we|i|team|people) (?:have )?(?:put|invested|poured) (?:so much|everything|years|nights|all"
            r"|countless) ~"
            r" (?:into|in) (?:you|your)",
        ),
    ),
    Habit(
        Rule.GUILT,
        "It lays our feelings on the customer's shoulders.",
        "One honest word is enough: “I am sorry to see you go, and glad that we had this time.”",
        (
            r"(?:we|i|team|everyone|everybody) (?:am|are|is|feel|feels|was|were)(?: \w+ly| so| very| quite| rather| all"
            r"| personally)*"
            r" (?:disappointed|hurt|betrayed|let down|heartbroken|devastated|abandoned|crushed|bitter|offended|wounded)"
            r"(?! (?:with|in|by|about) (?:ourselves|our|us)| that we| not to| to have)",
            r"(?:breaks?|broke|broken|breaking) (?:my|our|the team's|everyone's) hearts?",
            r"(?:leave|leaving|left) us (?:in the lurch|hanging|stranded|alone|behind|with nothing)",
            r"(?:abandon(?:ed|ing)?|betray(?:ed|ing)?|desert(?:ed|ing)?|dropp(?:ed|ing)) us|let(?:ting)? us down",
            r"(?:turn(?:ed|ing)? your backs? on|walk(?:ed|ing)? out on|walk(?:ed|ing)? away from|gave up on|giv(?:e"
            r"|ing)"
            r" up on) (?:us|our|my)",
            r"(?:it|this|that|your (?:decision|leaving|departure)) (?:really |deeply |truly )?(?:hurts?|pains?"
            r"|wounds?) (?:us"
            r"|me|our|the)",
            r"(?:slap in the face|stab in the back|kick in the teeth|blow to (?:us|our|the whole))",
        ),
    ),
    Habit(
        Rule.GUILT,
        "It asks the customer to carry our worries: jobs, targets, a broken trust.",
        "Keep our worries at home. The customer needs to know only what happens next.",
        (
            r"(?:jobs?|bonus(?:es)?|salary|salaries|targets?|livelihoods?|positions?) ~ (?:depends?|at stake|at risk|in"
            r" danger|on the line|suffer)",
            r"(?:think|thought) (?:of|about) (?:our|my|the) (?:team|people|families|staff|employees|developers)",
            r"(?:we|i) (?:will|might|may|could|would) (?:have to )?(?:lose (?:my|our)|let ~ go|lay|close down)",
            r"we (?:thought|believed|assumed|hoped)(?: that)? ~ (?:partners?|friends?|family|loyal|trusted us|meant"
            r" something|loyalty|count on you)",
            r"we (?:counted|were counting|relied|had counted|built our plans) on you",
            r"(?:explain|tell) ~ to (?:my|our) (?:team|boss|board|investors|people) why you",
            r"without you we (?:will|might|may|shall) (?:have to|lose|close|struggle|fail)",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "It puts people under time pressure for a decision that they have taken already.",
        "Give the date and its reason, and leave it there: “The offboarding plan starts on Monday; move what does"
        " not suit.”",
        (
            r"(?:last|final) (?:chance|oppor\w+|call)",
            r"before it is too late|time is running out|the clock is ticking|it is not too late",
            r"(?:only|just) ~ (?:days?|hours?|weeks?) (?:left|remain|remaining) to (?:change|decide|reconsider|sign"
            r"|renew|act"
            r"|save|take|stay)",
            r"act (?:now|fast|quickly|today)|decide (?:now|today|by|within|quickly)",
            r"you (?:must|have to|need to|should|are required to) (?:\w+ )?(?:decide|sign|answer|reply|respond"
            r"|confirm|pay|act"
            r"|let us know|give us|return|fill) ~ (?:now|immediately|at once|today|tomorrow|within|by|before"
            r"|straight away"
            r"|right away|without delay|this week|asap|tonight)",
            r"(?:answer|reply|respond|decide|sign|confirm|get back to us|let us know)(?: to us| us)? ~"
            r" (?:immediately|at once"
            r"|urgently|without delay|as soon as possible|asap|by return|right now|straight away)",
            r"you have (?:until|only|just|\w+ (?:hours|days)) ~ to (?:decide|answer|reply|change|renew|sign|confirm"
            r"|respond"
            r"|reconsider)",
            r"(?:urgent|immediate) (?:reply|answer|response|action|decision)",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "It argues with a decision that the customer has taken.",
        "Take the decision as it is: “I understand, and I respect your decision.”",
        (
            r"(?:please|do|should|must|need to|want to|ask you to|urge you to|beg you to|invite you to|hope you will"
            r"|kindly)"
            r" (?:reconsider|rethink|re-?think|think (?:again|twice|it over)|change your mind)",
            r"(?:urge|beg|implore|strongly advise|press|plead with) (?:you|them)",
            r"are you (?:really |quite |absolutely |completely |sure )*(?:sure|certain) (?:you want|that you want"
            r"|about (?:this"
            r"|leaving|your decision)|this is|that this is|it is wise)",
            r"(?:do not|please do not) (?:leave|go|rush|make a|throw|give up|cancel|do this)",
            r"(?:making|make|made) a (?:big |huge |serious |grave |costly |terrible )?mistake",
            r"(?:is|would be|will be) a (?:big |huge |serious |grave |costly |terrible )?mistake (?:to (?:leave|go"
            r"|switch"
            r"|cancel)|for you|if you)",
            r"(?:you will not|you will never|nobody will|no one will|hard to) find (?:a |an |any )?(?:better|anyone"
            r"|anything"
            r"|anybody|such|another|someone)",
            r"no (?:other )?(?:supplier|vendor|provider|competitor|tool|product|partner|company) ~ (?:can|will|could"
            r"|offers?"
            r"|matches?|gives?|knows?)",
            r"(?:most|many|all) ~ (?:who|that) (?:leave|left|switch|switched) ~ (?:come back|came back|regret"
            r"|regretted|return"
            r"|returned)",
            r"(?:migration|migrating|switching|moving away|changing (?:tools|suppliers?)|starting over) ~ (?:risky"
            r"|dangerous"
            r"|nightmare|painful|costly|expensive|cost you|risks?|months)",
            r"you (?:will|would|are going to|stand to|risk to) (?:also )?(?:lose|miss out|miss|throw away)",
            r"risk(?:ing)? (?:losing|to lose)",
        ),
        deniable=False,
    ),
    Habit(
        Rule.PRESSURE,
        "It demands an answer. Whoever leaves owes us none.",
        "Leave it free: “If you would rather not answer, that is fine too.”",
        (
            r"(?:answer|answering|survey|questionnaire|interview|conversation|call|feedback|meeting) (?:\w+ )?(?:is"
            r"|are)"
            r" (?:mandatory|compulsory|obligatory|required|not optional)",
            r"you (?:must|have to|need to|are obliged to|are required to|are expected to) (?:\w+ )?(?:explain"
            r"|justify|tell us"
            r"|give us|take part|fill|complete|answer|attend|join)",
            r"we (?:expect|insist|require|demand|must insist) (?:that|on|you|an|a|your)",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "It reminds in a tone that counts, and silence is an answer too.",
        "Remind once, lightly: “In case my last message went under: here is the link again. No need to answer.”",
        (
            r"(?:still|yet) (?:have )?(?:not )?(?:waiting for|heard|received|answered|replied|got) ~ (?:you|your"
            r"|answer|reply"
            r"|response|survey|us|email)",
            r"(?:have|has) (?:still |yet )?not (?:yet )?(?:heard (?:back )?from you|received your|answered our"
            r"|replied to our)",
            r"(?:third|fourth|fifth|final|last) (?:and \w+ )?reminder",
            r"(?:do not|stop) (?:keep|make|keeping|making) us (?:wait|waiting)|we can not wait (?:any )?longer",
            r"(?:we|i) will keep (?:calling|writing|asking|reminding|trying|following up)",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.SELLING,
        "It sells to someone who has just said no, and makes the kindness before it look like bait.",
        "Leave the offer out. If they come back one day, it is because they were let go well.",
        (
            r"(?:offer|give|propose|make|grant|get|receive|save|includes?|throw in|add) (?:you |them )?~ (?:discount"
            r"|rebate"
            r"|voucher|coupon|promo|price cut|reduction|free month|free months|upgrade|better deal|better price|new"
            r" deal)",
            r"(?:offer|give|propose|make|grant|get|receive|throw in) (?:you )?(?:a |an |another |our |one )?(?:\w+"
            r" )?(?:discount"
            r"|rebate|voucher|coupon|price cut|better deal|better price|new deal|upgrade|counter-?offer)",
            r"(?:special|exclusive|unbeatable|one-?time|limited|last|final|last-minute|unique|attractive|best"
            r"|irresistible"
            r"|loyalty|win-?back|retention) (?:time )?(?:offers?|prices?|deals?|discounts?|rates?|proposals?)",
            r"\d+(?:\s?%|\spercent) (?:off|discount|less|cheaper|reduction|lower|rebate|on your renewal|on the"
            r" renewal)",
            r"(?:at )?half (?:the )?price",
            r"(?:months?|weeks?|year|quarter|seats|licen[cs]es) (?:for )?free(?: of charge)?|free (?:of charge"
            r" )?(?:for )?(?:\w+"
            r" )?(?:months?|upgrade|extension|seats|licen[cs]es|trial)",
            r"(?:lower|reduce|cut|halve|match|beat|freeze|improve|drop|review) (?:the |your |our |their |its |any"
            r" )(?:\w+ )?"
            r"(?:price|prices|fees?|rates?|costs?|invoice|conditions|pricing|offer)",
            r"discount (?:of|if|when|for|on your next|until)",
        ),
    ),
    Habit(
        Rule.SELLING,
        "It uses the goodbye to open a sale.",
        "Ask nothing in return: “If there is something you need before the end, just answer this message.”",
        (
            r"if you (?:stay|renew|sign|extend|change your mind|come back|re-?subscribe|reconsider|commit) ~ (?:we"
            r"|you) ~ (?:get"
            r"|receive|offer|give|save|free|add|include|waive|discount|pay only|pay less|lower|price|benefit)",
            r"(?:stay|renew|sign|extend|come back|re-?subscribe|upgrade) (?:\w+ )?(?:now|today|before|by|this week"
            r"|within|for"
            r" another|with us|and (?:get|save|receive|benefit|enjoy|keep|we))",
            r"(?:upgrade|switch|move|downgrade|change) to (?:our|the|a) (?:\w+ )?(?:premium|pro|plus|new|higher"
            r"|enterprise|basic"
            r"|cheaper|smaller|lighter|starter|light)(?: \w+)? ?(?:plan|package|tier|version|edition|offer|licence"
            r"|subscription)?",
            r"have you (?:\w+ )?(?:seen|heard of|heard about|tried|considered|discovered|looked at) (?:our|the)"
            r" (?:new|latest"
            r"|brand|upcoming|premium|\w+ (?:plan|package|module))",
            r"our (?:new|latest|brand-?new|upcoming|improved) (?:\w+ )?(?:product|module|feature|version|offer|plan"
            r"|release"
            r"|package|tool|platform)s? ~ (?:would|could|will|might|may|is exactly|solves?|convince|suit|change)",
            r"before you (?:go|leave|decide|cancel|sign) ~ (?:take a look|look at|let us show|let me show|have a"
            r" look|consider"
            r"|discover|see what|try|hear|show you|tell you about)",
            r"(?:book|schedule|arrange|set up|give you|join|show you) (?:a |an |one |our )?(?:\w+ )?demo|let (?:me"
            r"|us) show you"
            r" (?:our|what|how|the)",
            r"what (?:would it take|could we offer|can we offer|can we do|would make you|could make you|would"
            r" convince) ~ (?:stay"
            r"|keep|change|mind|you|renew)",
            r"(?:save|earn) (?:up to )?(?:€|\$|£|eur |usd )?\s?\d+",
            r"(?:would|might) (?:you )?(?:\w+ )?(?:interest|interested|tempt|convince) (?:you )?~ (?:offer|plan"
            r"|package|module"
            r"|product|add-?on|quote|upgrade|price|discount)",
            r"(?:place|put in) an order|sign up (?:now|today|again|for)",
        ),
    ),
)

TONGUE = Tongue(
    habits=(*_HABITS, *TURNS),
    negators=r"not|never|no|nothing|nobody|none|without|neither|nor|cannot|instead of|rather than|free of|free from",
    denials=(
        r"(?:nobody|no one|not|never|without|far from|nor|nothing) (?:\w+ ){0,2}(?:say|says|saying|suggest"
        r"|suggesting|mean"
        r"|means|meant|think|thinks|claim|implying|imply|because|as if|believe|believes|reproach)"
    ),
    turns=r"why not|but|however|yet|although|though|unless",
    conditions=r"if|in case|whether|should|when|where|anything|something|everything|what|whatever|questions?",
    citing=(
        r"(?:you|they|he|she|customer|client|contact) (?:\w+ )?(?:said|told|wrote|write|writes|mentioned|called|put"
        r" it|asked"
        r"|answered|noted|says)|your (?:own )?(?:words?|message|answer|comment|sentence|remark|e-?mail)|their (?:own"
        r" )?words"
        r"|(?:never|not|avoid|instead of|rather than|without) (?:\w+ ){0,2}(?:say|write|saying|writing|promise|ask"
        r"|use|words?)?"
    ),
    citing_after=r"(?:as )?(?:you|they|he|she) (?:said|told|wrote|put it|called|mentioned|answered)",
    short_forms=(
        (re.compile(r"\bwon't\b"), "will not"),
        (re.compile(r"\b(?:can't|cannot)\b"), "can not"),
        (re.compile(r"\bshan't\b"), "shall not"),
        (re.compile(r"n't\b"), " not"),
        (re.compile(r"'ve\b"), " have"),
        (re.compile(r"'ll\b"), " will"),
        (re.compile(r"'re\b"), " are"),
        (re.compile(r"\bi'm\b"), "i am"),
        (re.compile(r"\b(it|this|that|what|how)'s\b"), r"\1 is"),
    ),
)
