"""Common turns of speech behind each fault of tone in English (P-27).

:mod:`workflows.tone_en` knows set phrases. Here is how people build a reproach, a threat or a plea out of any words:
where the trouble comes from, what would not have happened, what nobody did, what was warned of, what must be by when.
"""

from __future__ import annotations

from workflows.tone_rules import Habit, Rule

_OURS = "Speak of us: “We did not get it to work for you, and we are sorry.”"
_TROUBLE = (
    r"(?:problems?|delays?|mistakes?|errors?|failures?|troubles?|issues?|mess|faults?|causes?|confusion|difficult(?:y"
    r"|ies)|setbacks?|bottlenecks?|gaps?|misunderstandings?|overruns?|blame)"
)
_SIDE = (
    r"(?:you|your (?:\w+ )?(?:teams?|people|colleagues?|users|staff|side|end|management|managers?|company"
    r"|organi[sz]ation"
    r"|departments?|boss|office|leadership|employees|developers|director|project lead))"
)
_WENT_WRONG = (
    r"(?:fail(?:ed|s|ure)?|collapsed?|stalled|slipped|suffered|delayed|broke|(?:went|gone|go) (?:wrong|sour|nowhere)"
    r"|did not"
    r" work|never worked|fell (?:apart|behind|through)|took so long|impossible|too late|doomed|came to nothing)"
)
_DROPPED = (
    r"(?:refus(?:ed|es|ing|e) to|neglect(?:ed|s|ing) to|fail(?:ed|s|ing) to|ignor(?:ed|es|ing) (?:our|us|my|every|all"
    r"|the)"
    r"|(?:did|do|does|could) not (?:even )?(?:bother|care)(?:ed)?|(?:could|can) not be bothered|block(?:ed|s|ing)"
    r"|resist(?:ed|s|ing)|sabotag\w+|dragg(?:ed|ing) (?:its|their|your) feet|dropp(?:ed|ing) the ball|was asleep"
    r"|were asleep"
    r"|(?:kept|keeps?) (?:changing|postponing|cancell?ing|delaying|forgetting|missing|arguing|moving))"
)
_SLOW = r"(?:postpon|cancell?|chang|complain|delay|ignor|forg[eo]t|refus|hesitat|interfer|argu|miss|block|overrul)\w*"

TURNS = (
    Habit(
        Rule.BLAME,
        "It traces the trouble back to the reader.",
        _OURS,
        (
            rf"{_TROUBLE} ~ (?:came|comes|come|stem(?:s|med)?|arose|lies|lay|started|began|originat\w+|are|were|is|was"
            rf"|goes"
            rf" back|went back) ~ (?:from|with|in|on|at|of|to) your (?:\w+ )?(?:end|side|own|making|doing|teams?|people"
            rf"|colleagues|management|company|decisions?|choices?|hands|house|office|processes|organi[sz]ation)",
            r"(?:this|that|it|all|everything)(?: all| really| simply| mostly| mainly)? (?:goes back to|stems from"
            r"|comes down"
            r" to|is down to|was down to|started with|began with|results? from|is the result of|was caused by"
            r"|is due to) (?:the"
            r" fact that you|you|your)",
            r"of your own (?:making|doing|choosing)|your own doing|your doing|self-inflicted|you brought (?:this"
            r"|it) (?:on|upon)"
            r"|(?:only |nobody but )?(?:yourself|yourselves) to (?:blame|thank)|(?:was|were|is|are) the ones? who"
            r" (?:broke|failed|delayed|stopped|blocked|ignored)",
            rf"because (?:of )?{_SIDE} ~~ {_WENT_WRONG}|{_WENT_WRONG} ~~ because (?:of )?(?:{_SIDE}|nobody (?:on"
            rf"|at) your)",
            r"you (?:caused|created|provoked|invited) (?:this|these|that|all|most|the|your own)",
            r"your (?:own )?(?:internal (?:problems|politics|chaos|disputes)|inaction|carelessness|indifference"
            r"|resistance"
            r"|disinterest|neglect|disorgani[sz]ation|procrastination|impatience|stubbornness|unrealistic|chaotic"
            r"|hesitations?"
            r"|changes of mind)",
        ),
    ),
    Habit(
        Rule.BLAME,
        "It tells how well it would have gone, but for the reader.",
        "Say what you take from it: “We would have liked to hear it earlier, and will ask sooner next time.”",
        (
            rf"(?:had {_SIDE}|if (?:only )?{_SIDE} had|if (?:only )?someone (?:on|at) your \w+ had) ~~ (?:would|could"
            rf"|might|need)"
            rf" ~~ (?:have|be|still)",
            rf"(?:would|could|might|need) (?:not |never |easily |all )?have ~~ (?:had|if|if only) {_SIDE}(?: had)?",
            r"if only (?:you|your \w+) had",
            rf"would (?:not |still |all |now |already |long )*(?:be|have|run|work"
            rf"|go) ~~ if (?:only )?{_SIDE} had (?:\w+ly )?"
            r"\w+(?:ed|wn|ne|ken|ven|ght|ept)\b",
        ),
    ),
    Habit(
        Rule.BLAME,
        "It counts up what people did not do; whoever reads that stops listening.",
        "Leave the past out, or name the fact without a culprit: “We did not manage to meet after March.”",
        (
            rf"{_SIDE} ~ {_DROPPED}",
            r"(?:nobody|no one|none|not one person|hardly anyone|hardly anybody|not a single \w+) (?:on|at|from|in"
            r"|of) your"
            r" (?:\w+ )?\w+ ~ (?:show(?:ed)?|came|come|turned|answered|replied|responded|bothered|cared|took|used"
            r"|attended"
            r"|read|listened|followed|wanted|joined|tested|opened|looked|lifted|logged)",
            rf"you (?:kept|always|constantly|repeatedly|only ever) {_SLOW}",
            r"you (?:left|kept) us (?:\w+ )?(?:in the dark|waiting|guessing|hanging|without|dangling|at arm's length)",
            r"you (?:let|left) (?:it|things|this|everything|the project|the tool) (?:slide|drift|lie|rot|slip|run|pile"
            r"|die"
            r"|gather dust|unused|untouched|unattended)",
            r"you (?:took|needed|waited|let us wait) (?:\w+ )?(?:weeks|months|ages|forever|far too long|too long"
            r"|until the last)",
            r"you (?:missed|skipped|sat out|cancelled|canceled|postponed|ignored) (?:\w+ ){0,3}(?:meetings?|trainings?"
            r"|sessions?|deadlines?|calls?|workshops?|onboarding|steps?|appointments?|reviews?|invitations?|reminders?"
            r"|messages?"
            r"|e-?mails?|advice|warnings?|recommendations?)",
            r"you (?:changed your mind|changed (?:\w+ )?(?:scope|requirements|plans?|contacts?|priorities)) ~ (?:times"
            r"|again"
            r"|twice|constantly|every|last|halfway)",
            r"(?:we|i) (?:did|kept|held|delivered|fulfilled) (?:up )?our (?:part|share|end|side|promises?"
            r"|word)\b ~ (?:you|your)",
            r"the ball was (?:always )?in your court",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.BLAME,
        "It says that we knew better, or that the reader alone has trouble.",
        "Take the remark as it is: “For you it did not work, and that is what counts.”",
        (
            rf"{_SIDE} (?:was|were|is|are) (?:simply |just |clearly )?(?:never|not)(?: really| at all)? (?:up to|ready"
            rf"|able|capable"
            r"|competent|qualified|committed|serious|willing|interested|available|cooperative|organi[sz]ed|engaged"
            r"|responsive)",
            r"your (?:\w+ )?(?:expectations|demands|requirements|requests|deadlines|wishes|plans) (?:were"
            r"|are) (?:\w+ )?(?:unrealistic"
            r"|unreasonable|exaggerated|absurd|impossible|too high|excessive|unclear|contradictory|vague)",
            r"(?:we|nobody|no one) can (?:hardly |not )?be (?:held )?(?:responsible|blamed|accountable"
            r"|liable) for (?:your|what you)"
            r"|do not (?:complain|come (?:crying|complaining)|blame (?:us|me|our))|(?:we|i) can not be blamed",
            r"you (?:never|hardly|barely|rarely|did not) (?:really |even |once )?(?:appoint\w*|name[d]?|assign\w*"
            r"|logg?(?:ed)?|open\w*"
            r"|test\w*|car(?:e|ed)|understood|set|finish\w*|gave (?:us|it|our)|put|look\w*|commit\w*|learn\w*"
            r"|deliver\w*|g[eo]t to"
            r" know|made (?:an effort|the effort|time)|had (?:the |any )?(?:patience|time|interest|will))",
            r"you gave up (?:\w+ )?(?:before|too|at the first|after|without)|(?:and )?(?:here|this|there"
            r"|that) is (?:now )?the result"
            r"|(?:look|see) where (?:it|that|this) (?:got|has got|led)|you (?:signed off|approved|agreed to"
            r"|accepted) ~ so (?:do|you)",
            r"(?:it was|that was|this was) your (?:own )?(?:choice|decision|idea|wish|call) ~ (?:without|skip|ignore"
            r"|refuse|not to|save"
            r" on|cut|postpone|rush)",
            rf"{_SIDE} (?:\w+ly |simply |just )?(?:was|were|are|is|(?:have|has|had) (?:\w+ )?been|seemed|proved"
            rf"|remained) (?:\w+ly |rather |quite |very |always )*(?:a (?:very "
            rf"|most )?difficult"
            r"|difficult to|badly (?:prepared|organi[sz]ed|run|trained)|poorly|unprepared|disorgani[sz]ed|chaotic"
            r"|careless|lazy"
            r"|uncooperative|unreasonable|stubborn|impatient|too (?:slow|late|busy|passive|demanding)|hostile|passive"
            r"|unwilling"
            r"|incapable|inattentive|complacent)",
            rf"{_SIDE} ~ (?:had|has|have) other (?:priorities|things|plans|worries)|you can (?:hardly|not) (?:really "
            rf"|seriously )?expect",
            r"(?:more|some|enough|greater|real) (?:\w+ )?(?:efforts?|commitment|goodwill|involvement|engagement"
            r"|interest|patience"
            r"|discipline|cooperation|care|attention) ~ (?:from|on|of) (?:your|you)\b",
            rf"{_SIDE} (?:\w+ )?(?:invest\w*|spen[dt]|gave|put|took|made|show\w*|devoted?|dedicate\w*) (?:so|too"
            rf"|very) (?:little|few) (?:time|efforts?|interest|money|people|attention|care|patience"
            rf"|support)",
            r"(?:hard|difficult|impossible|not easy) to (?:help|work with|support|serve|please|reach"
            r"|succeed with) (?:you|someone"
            r"|somebody|people|a (?:customer|client|team)|customers|clients|your)",
            r"because (?:nobody|no one|none|hardly anyone) (?:at|in|on|of|from) your|what (?:little )?you gave us",
            r"(?:we|i) (?:had |did |have |even |clearly )?(?:warn(?:ed)? you|told you so|saw (?:this|it) coming"
            r"|knew (?:this|it)"
            r" would)|as (?:we|i) (?:had |have )?(?:warned|predicted|feared|cautioned)",
            r"no other (?:customer|client|team|company)s? ~ (?:had|has|have|complain\w*|struggl\w*|asked|needed"
            r"|ran into)",
            r"works? (?:perfectly |just |very |quite )?(?:fine|well|perfectly|smoothly) (?:for|with|at) (?:everyone"
            r"|everybody|all"
            r"|our other|other|every other)",
            r"(?:everyone|everybody) else (?:manages|managed|gets|got|copes|coped|understands|understood|uses|had no)",
            r"you (?:simply |just |clearly |obviously |never really )?(?:misunderstood|did not understand"
            r"|do not understand"
            r"|misused|used it wrong\w*|got it wrong|underestimated|overestimated|expected too much)",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.THREAT,
        "It makes access or data hang on something. A customer who leaves under a threat tells others.",
        "Keep the two apart: “Your export is ready now. About the open invoice, [name] will call you.”",
        (
            r"(?:if|as long as|until|unless|while) (?:the|your|this|our) (?:\w+ )?(?:invoices?|bills?|balance"
            r"|payments?|amounts?"
            r"|fees?|debt) ~~ (?:will|shall|must) ~ (?:suspend|block|switch off|cut|freeze|lock|disable|withhold"
            r"|not get|not"
            r" receive|not have|be suspended|be blocked|be cut|be locked|be frozen|be withheld|keep your|lose)",
            r"(?:unless|until) you (?:settle|pay|sign|clear|transfer|return|comply) ~~ you (?:will|shall|can) (?:not"
            r"|lose|never"
            r"|forfeit)",
            r"(?:walk away|leave|go|cancel|quit|stop paying|drop us)(?: now| today| us| early)? and (?:you|your"
            r"|we) ~ (?:gone|lost"
            r"|lose|deleted|wiped|pay for|regret|sue|charge|forfeit)",
            r"(?:your|the) (?:files|data|content|history|projects) (?:are|will be|is) gone (?:by|on|within|tomorrow"
            r"|forever|for"
            r" good|the moment)",
            r"(?:erased|deleted|closed|suspended|blocked|wiped|cut off|destroyed) ~ without (?:further |any |prior "
            r"|more )?notice",
            r"(?:bring in|call in|involve|instruct|hire|consult|turn to|engage|go to) (?:our |a |the |my )?(?:lawyers?"
            r"|solicitors?"
            r"|attorneys?|debt collectors?|bailiffs?|courts?)|no (?:signature|payment|money|answer|reply) no (?:data"
            r"|export|access"
            r"|files|handover|help)",
            r"you will (?:have to |still )?pay ~ (?:whether|anyway|regardless|like it or not|one way or)",
            r"(?:before|in front of) (?:a|the) (?:judge|court)|(?:without|no) (?:\w+ )?(?:payment|signature"
            r"|money) ~ (?:there will be no"
            r"|no (?:export|data|access|files|handover)|you will (?:not|get no))",
            r"(?:our|the) (?:legal|collections?|debt) (?:department|team|people|agency) will|(?:revoked|cut off"
            r"|shut down|terminated)"
            r" (?:overnight|at once|immediately) if",
            r"you know what happens (?:to|when|if)|(?:do|try) (?:this|that) and (?:we|i|you) (?:will|shall)|(?:inform"
            r"|tell|alert) your"
            r" (?:\w+ )?(?:suppliers|bank|clients|customers|boss|superiors|investors|partners|press) (?:if|about|that"
            r"|unless)",
            r"(?:face|facing|await|awaits?) (?:\w+ )?(?:legal|financial|serious) (?:consequences|trouble|steps"
            r"|penalties)",
        ),
    ),
    Habit(
        Rule.GUILT,
        "It holds our effort against the reader.",
        "Thank without a bill: “Thank you for these years. We learned a lot from you.”",
        (
            r"after (?:all|so many|the many|everything in) (?:the |those |these |our |of the )?(?:\w+ )?(?:nights"
            r"|weekends|hours"
            r"|efforts?|work|evenings|sacrifices|favou?rs|help|support|energy|patience) (?:that )?(?:we|i|my team"
            r"|our team|my"
            r" colleagues)(?! ~ together)",
            r"(?:bent over backwards?|went out of our way|moved heaven and earth|worked (?:day and night|our fingers"
            r"|like mad)"
            r"|broke our backs?|did everything|gave it our all|dropped everything) ~ (?:for you|for your|to keep you"
            r"|to please"
            r" you)",
            r"(?:is|this|that) what (?:we|i) get|so much for (?:loyalty|partnership|friendship|trust|our)"
            r"|(?:all )?the thanks"
            r" (?:we|i) get",
            r"(?:we|i) (?:\w+ly |always |still )?(?:thought|believed|felt)(?: that)? (?:we|you) (?:were"
            r"|had) ~ (?:friends?"
            r"|partners?|close|family|special|bond)",
            r"(?:it|this|that) (?:really |truly |deeply )?hurts (?:to|that|when)|(?:put|poured) (?:my|our"
            r"|all our) (?:hearts?|souls?|lives)"
            r" ~ (?:in|into)|how little ~ (?:worth|meant|mattered|means|value)|of all people|(?:stand|stood|stick"
            r"|stuck) by us",
            r"(?:my|our) (?:manager|boss|director|board|investors) (?:will|is going to|may|might) ~ (?:hold|blame|fire"
            r"|punish|kill|ask me"
            r" why)|throw it back at (?:me|us)",
            r"(?:and )?now you (?:do|are doing|did) this|(?:will|may|might|could)(?: probably)? lose (?:their|her"
            r"|his) (?:jobs?|posts?"
            r"|positions?|places?|bonus)|have you forgotten (?:everything|all|what|how)|(?:we|i"
            r"|my team) deserved? (?:better|more)",
            r"(?:not slept|sleep badly|can not sleep|sleeping badly)|your (?:letter|message|decision"
            r"|notice) (?:has )?(?:broke|broken"
            r"|shattered|hit|shocked|crushed|ruined)",
            r"(?:lost sleep|sleepless|in tears|cried|crying|tears in)|(?:hard|difficult|painful|bitter) (?:for us "
            r"|for me )?to"
            r" (?:take|swallow|accept|digest)",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "It sets a term for an answer, or a last time.",
        "Leave it free: “If you would rather not answer, that is fine too.”",
        (
            r"(?:i|we) (?:really |absolutely |urgently )?(?:need|want|require|must have|have to have) (?:your|an"
            r"|a) (?:\w+ )?"
            r"(?:answer|decision|reply|signature|response|yes|word|commitment) ~ (?:by|before|today|now|within|until"
            r"|at once"
            r"|tonight|tomorrow|noon|immediately)",
            r"you (?:will|would) (?:not|never|hardly) find ~ (?:anywhere|elsewhere|again|better)",
            r"(?:last|final) time (?:that )?(?:i|we) (?:can|will|could|shall|may|am able to|are able to) ~ (?:offer"
            r"|ask|propose"
            r"|give|extend|hold|discuss|keep)",
            r"(?:we|i) (?:expect|await|demand) (?:your|an|a) (?:\w+ )?(?:answer|reply|feedback|response|decision"
            r"|explanation)|decision"
            r" (?:now )?(?:that )?you will (?:be sorry|regret)|(?:really |properly |fully )thought (?:this|it"
            r"|that) through",
            r"(?:call|ring|phone|get back to|write to|answer) me (?:back )?(?:today|within|now|at once|immediately"
            r"|before|by)|within"
            r" the (?:hour|day)|(?:ring|call|write to|contact|go to) your (?:director|boss|ceo|superiors?"
            r"|manager) (?:if|unless"
            r"|otherwise|instead)|go over your head|i will have to (?:ring|call|contact) your",
            r"(?:nobody|no one) (?:who is )?in (?:their|his) right mind|no (?:sensible|serious|reasonable"
            r"|sane) (?:person|company"
            r"|customer|business|manager)|throw(?:ing)? (?:away|out) ~ (?:years?|work|money|everything|investment|all)",
            r"(?:we|i) (?:will|can|do|could) not (?:simply )?accept (?:this|your|that) (?:decision|choice|cancellation"
            r"|notice|termination"
            r"|no)|(?:will|do) not take no for an answer",
            r"think (?:very )?(?:twice|carefully|hard|long and hard) (?:before|about|whether|if)|(?:better|should"
            r"|please) think"
            r" twice",
            r"(?:everyone|everybody|all|most|those|customers|clients|people|others|companies|many)(?: of them"
            r"| of those)? (?:who"
            r"|that|which) (?:left|leave|quit|went|switched|cancelled|moved) ~~ (?:came back|come back|returned"
            r"|regret\w*|are"
            r" back|begged|came crawling|wished)",
            r"(?:window|offer|door) (?:is closing|closes (?:soon|today|tonight|tomorrow|on friday)|will not stay open)",
            r"(?:mark my words|you have been warned|you will see|sooner or later you)",
        ),
    ),
    Habit(
        Rule.SELLING,
        "It uses the goodbye to open a sale.",
        "Ask nothing in return: “If there is something you need before the end, just answer this message.”",
        (
            r"(?:give|giving) (?:it|us|our (?:product|tool|team)|this) (?:just )?(?:another|one more|a second"
            r"|one last) (?:try"
            r"|chance|year|go|month|shot|look|quarter)",
            r"(?:why not|how about|what about) (?:give|giving|try|trying|stay|staying|another|one more|renew|renewing"
            r"|stick"
            r"|sticking|sign|signing|keep|extend|extending)",
            r"(?:stick|sticking) with us|(?:fixes|solves) (?:all|everything|every one|exactly)",
            r"(?:do|arrange|find|work out) something (?:about|on|with|for) (?:the|your) (?:price|fee|terms|rate|budget"
            r"|invoice)|talk about"
            r" (?:the price|a (?:new|better|smaller|longer) (?:\w+ )?(?:contract|deal|plan|price|offer))|(?:better|new"
            r"|special) (?:terms"
            r"|conditions)",
            r"(?:percent|%) (?:off|on) (?:your|the|all|any) (?:next|first|coming|new)|cost(?:s"
            r"|ing)? (?:you )?(?:next to|almost|nearly)"
            r" nothing|(?:on sale|on special|at a bargain|bargain price|limited-time)|(?:partner|loyalty|referral"
            r"|rewards?)"
            r" program(?:me)?",
            r"take (?:our|the) (?:small|smaller|basic|light|free|cheaper|starter)(?:er)? (?:plan|package|version|tier"
            r"|edition) (?:instead"
            r"|now|for)",
            r"(?:months?|weeks?|year|quarter|licen[cs]es?|setup|seats?) (?:is|are|would be|will be) (?:on us|our treat"
            r"|free|a gift)|have you"
            r" (?:ever )?(?:thought (?:of|about)|looked into) our|tailor-?made (?:offer|deal|plan)",
            r"(?:sweeten|improve|better) (?:the|our) (?:deal|offer)|(?:what|how) if (?:we|i) (?:gave|offered|threw in"
            r"|waived"
            r"|lowered|halved|dropped)",
        ),
    ),
)
