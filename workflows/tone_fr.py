"""Tone in French: what hurts a departing customer, why, and what to write instead (P-27).

Phrases are written without accents, as texts are read (see :mod:`workflows.tone`).
"""

from __future__ import annotations

import re

from workflows.tone_rules import Habit, Rule, Tongue
from workflows.tone_turns_fr import TURNS

_DONE = (
    r"(?:prevenu|prevenir|dit|dire|averti|avertir|informe|informer|parle|parler|alerte|alerter|signale|signaler|repondu"
    r"|repondre|demande|demander|utilise|utiliser|forme|former|lu|lire|venu|venir|participe|participer|anticipe"
    r"|anticiper|prevu|prevoir|fait|faire|reagi|reagir|pense|penser|ecoute|ecouter|suivi|suivre|implique|impliquer"
    r"|contacte|contacter|investi|investir|consacre|consacrer|appele|appeler|paye|payer|regle|regler|ecrit|ecrire"
    r"|donne|donner|tenu|tenir|respecte|respecter|exprime|exprimer|remonte|remonter|joue|jouer|pris|prendre|assiste"
    r"|assister|fourni|fournir|transmis|transmettre|envoye|envoyer|su|voulu|montre|montrer|manifeste|manifester"
    r"|deploye|deployer|relance|relancer|etre plus|ete plus|essaye|essayer|daigne|cherche|collabore)(?:e?s)?"
)
_TAKE_AWAY = (
    r"(?:supprim|effac|detrui|suspend|coup|bloqu|desactiv|gel|verrouill|resili|retir|ferm)"
    r"(?:er|re|ons|erons|era|eront|rons|ra|ront|s|e|ee|es|ees|ent|ez|u|ue|us|ues|its?|ites?|ant|isons)?"
)
_HARM = (
    rf"(?:{_TAKE_AWAY}|factur\w+|engag\w+|saisi\w*|perdr\w*|poursui\w+|penalit\w+|majoration|reclam\w+|contentieux"
    rf"|recouvrement|tribunal|justice|avocats?|huissier|mise en demeure)"
)
_PAY = r"(?:pay|regl|sign|sold|acquitt|paiement|reglement|factur|renouvel|impaye)\w*"
_HAND = (
    r"(?:restitu|remett|remis|transmett|transmis|livr|export|rend|donn|envoy|fourni|recuper|aur|recev|acced|debloqu)\w*"
)

_HABITS = (
    Habit(
        Rule.BLAME,
        "La phrase dit ce qu’il aurait fallu faire, alors qu’il n’y a plus rien à changer.",
        "Dites ce que vous en retenez : « Nous aurions aimé l’apprendre plus tôt ; nous poserons la question avant. »",
        (
            rf"vous (?:nous |le |y |en |vous )?(?:auriez|deviez)(?: au moins| simplement| quand meme| bien| largement)?"
            rf" (?:du|pu|mieux fait de)? ~ {_DONE}",
            rf"si (?:seulement )?vous (?:nous |nous en |nous l |en |l |y |vous |le )?(?:aviez|etiez) ~ {_DONE}",
            r"il aurait (?:fallu|suffi) (?:que vous|de nous|nous|le dire|d en parler)|il fallait (?:nous|le dire|en"
            r" parler"
            r"|prevenir|y penser)",
            r"c etait a vous (?:de|d)|il vous (?:appartenait|incombait|revenait) (?:de|d)|vous etiez (?:censes?"
            r"|censees?"
            r"|supposes?|tenus?)",
        ),
    ),
    Habit(
        Rule.BLAME,
        "La phrase dresse la liste de ce qui n’a pas été fait ; qui la lit n’écoute plus.",
        "Laissez le passé de côté, ou dites le fait sans coupable : « Nous n’avons pas réussi à nous voir après"
        " mars. »",
        (
            rf"vous (?:ne |n )(?:nous |vous |l |les |y |en |nous en |nous l |vous y )?(?:avez|aviez|etes|etiez)"
            rf" (?:\w+ )?"
            rf"(?:jamais|pas|guere|meme pas|rarement|rien|plus)(?: (?!a\b)\w+){{0,2}}? {_DONE}",
            r"vous (?:nous )?(?:avez|aviez) (?:\w+ )?(?:tarde|neglige|omis|refuse de|refuse d|echoue|ignore|laisse"
            r" (?:trainer"
            r"|pourrir)|gache|rate|cache|dissimule|prefere vous taire|rompu|manque a vos|bacle|perdu du temps|fait"
            r" trainer"
            r"|fait perdre)",
            rf"(?:vos|votre) (?:equipes?|collaborateurs?|utilisateurs?|direction|collegues|services?) (?:ne |n"
            rf" )(?:ont|a|se"
            rf" sont|s est|nous ont|nous a) (?:\w+ )?(?:jamais|pas|guere|rien)(?: (?!a\b)\w+){{0,2}}? {_DONE}",
            r"(?:vos|votre) (?:equipes?|direction|collaborateurs?|utilisateurs?) (?:ont|a) (?:\w+ )?(?:neglige"
            r"|refuse|ignore"
            r"|tarde|laisse trainer|bacle|sabote)",
            r"vous avez fait (?:le|un) mauvais choix|vous vous etes (?:trompes?|mal) ",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.BLAME,
        "La phrase désigne un fautif, et c’est la personne qui la lit.",
        "Parlez de nous : « Nous n’avons pas su le faire fonctionner pour vous, et nous le regrettons. »",
        (
            r"votre (?:propre |seule )?(?:faute|negligence|manque d\w*|absence d\w*|refus d\w*|inaction|desinteret"
            r"|passivite"
            r"|mauvaise (?:foi|volonte|organisation|gestion|preparation)|indecision|lenteur|manque|laxisme)",
            r"(?:vos|votre) (?:retards?|silence|hesitations?|changements?|erreurs?|atermoiements) (?:\w+ )?(?:ont|a"
            r"|est|sont|nous"
            r"|explique|expliquent)",
            r"(?:a cause|en raison|du fait) (?:de vous|(?:de )?(?:votre|vos) (?:retards?|manque|refus|silence"
            r"|negligence|equipes?"
            r"|decisions?|hesitations?|erreurs?|absence d\w*|choix|organisation))",
            r"vous (?:etes|en etes|etiez) (?:\w+ )?(?:responsables?|coupables?|fautifs?|fautives?|a l origine) (?:de"
            r"|d|du) (?:la|l"
            r"|cet|ce|cette|ces)? ?(?:echec|situation|retards?|problemes?|fiasco|resultat)|vous (?:etes|en etes)"
            r" (?:les )?seuls?"
            r" (?:responsables?|fautifs?)",
            r"comme nous (?:vous )?(?:l |vous l )?(?:avons|avions) ~ (?:plusieurs (?:reprises|fois)|maintes"
            r" (?:reprises|fois)|deja"
            r"|repete|cent fois)|nous vous avions (?:pourtant )?(?:prevenus?|avertis?|bien dit|pourtant)",
            r"comme nous (?:vous )?(?:l |vous l )?(?:avons|avions) (?:deja |maintes fois |souvent |pourtant )(?:dit"
            r"|repete|rappele"
            r"|signale|explique)",
        ),
    ),
    Habit(
        Rule.THREAT,
        "C’est une menace. Un client qui part sous la menace le raconte, et elle peut être illégale.",
        "Dites ce qui se passera de toute façon, et ce qui est protégé : « Les accès se ferment le 30 juin ; rien n’est"
        " supprimé avant votre confirmation. »",
        (
            rf"(?:a defaut|sinon|faute de quoi|sans quoi|autrement|dans le cas contraire|faute de (?:reponse"
            rf"|paiement|reglement"
            rf"|signature|retour)|sans (?:reponse|paiement|reglement|retour|signature)) ~ {_HARM}",
            rf"si vous (?:ne |n |refusez |partez |persistez |nous quittez |maintenez )(?:~~ )?{_PAY} ~~ (?:nous|vos"
            rf"|votre|vous|l"
            rf" acces) ~ {_HARM}",
            rf"(?:si vous (?:refusez|partez|persistez|nous quittez|maintenez|insistez|ne ~~ (?:repond|confirm|valid"
            rf"|rest)\w*)|tant"
            rf" que vous (?:ne|n)) ~~ (?:nous (?:allons |devrons |serons contraints de )?{_HARM}|(?:seront|sera)"
            rf" {_HARM}|vous"
            rf" perdr\w+)",
            rf"{_TAKE_AWAY} ~ (?:vos|votre|les|l|le|la) ~ (?:si vous ne|si vous n|tant que vous|a moins que|sauf si"
            rf"|a defaut) ~~"
            rf" (?:{_PAY}|repond\w*|confirm\w*|restez)",
            rf"(?:sera|seront|serait|seraient) {_TAKE_AWAY} ~ (?:si vous|tant que|a moins|sauf si|a defaut|faute de)"
            rf" ~~ (?:{_PAY}"
            rf"|repond\w*|quitt\w*|part\w*)",
        ),
    ),
    Habit(
        Rule.THREAT,
        "La phrase prend en gage ce qui appartient au client : il ne l’oubliera pas, et la loi peut l’interdire.",
        "Séparez les deux : « Votre export est prêt. Pour la facture en attente, [nom] vous appellera. »",
        (
            rf"(?:ne|n) (?:vous |les |la |le |pourr\w+ |ser\w+ )?(?:\w+ )?{_HAND} ~~ (?:tant que|avant que?|avant d"
            rf"|sans|qu apres"
            rf"|que si|que lorsque|qu une fois|qu a reception|qu en echange|avant le|que contre) ~~ {_PAY}",
            rf"(?:aucune?|pas d|pas de) (?:exports?|donnees?|restitution|acces|remboursement|transfert|sauvegarde"
            rf"|passation"
            rf"|reversibilite) ~ (?:tant que|avant|sans) ~~ {_PAY}",
            rf"(?:conserv|gard|reten|retien)\w+ (?:vos|votre) (?:donnees|fichiers|acces|acompte|noms? de domaine"
            rf"|export|documents)"
            rf" (?:tant que|jusqu) ~~ {_PAY}",
        ),
        deniable=False,
    ),
    Habit(
        Rule.THREAT,
        "La phrase menace d’avocats, de pénalités ou de conséquences, là où un appel suffirait.",
        "Proposez d’en parler : « Il reste une question sur la facture. Puis-je vous appeler cette semaine ? »",
        (
            r"(?:engag|entam|intent|lanc|envisag|pass|proced|donn|port|recour)\w* ~ (?:poursuites?|actions? (?:en"
            r" justice"
            r"|judiciaire|legale)|procedures?|voies? (?:judiciaire|legale|de droit)|recouvrement|en justice|voie"
            r" judiciaire"
            r"|suites? (?:judiciaire|legale)s?|affaire en justice|plainte)",
            r"(?:nos|notre|un|le|les) (?:avocats?|huissiers?|service (?:juridique|contentieux)|juristes?|conseil"
            r" juridique) ~"
            r" (?:prendr\w*|contacter\w*|se charger\w*|saisi\w*|sera|seront|est deja|sont deja|interviendr\w*|vous"
            r"|reprendr\w*)",
            r"(?:transm\w+|confi\w+|remis|remettr\w+|saisir\w*|mandat\w+) ~ (?:nos |notre |un |une |au |a l |a la"
            r" )?(?:avocats?"
            r"|huissiers?|contentieux|recouvrement|tribunal|justice|service juridique)",
            r"(?:mise|mettr\w+|mettons) (?:vous )?en demeure|vous (?:trainer|assigner|poursuivre|attaquer) (?:en"
            r"|devant|au)|au"
            r" tribunal|devant (?:le tribunal|les tribunaux|la justice)",
            r"vous (?:le |la |l |allez (?:le |vite le |bientot le )?|pourriez (?:le )?|risquez de le )(?:regretterez"
            r"|regretter)|vous"
            r" vous en (?:mordrez|repentirez)|il vous en (?:coutera|cuira)|vous (?:allez|aller) le payer",
            r"(?:assum|subi|support|suppor|accept)\w+ ~ consequences|(?:aura|auront|sans doute) ~ (?:des|de lourdes"
            r"|de serieuses)"
            r" consequences",
            r"(?:derniere?|ultime) (?:avertissement|sommation|mise en garde|rappel avant|relance avant)",
            r"(?:nous (?:nous )?reservons|se reserve|nous reserverons) ~ (?:le )?(?:droit|possibilite) (?:de|d)",
            r"(?:penalites?|frais de (?:resiliation|dossier|sortie|retard|recouvrement)|indemnites?|majorations?) ~"
            r" (?:ser(?:a|ont)"
            r"|vous ser\w+|s appliquer\w*|appliqu\w+|factur\w+|reclam\w+|exig\w+|vous attend\w*)",
            r"(?:factur|reclam|appliqu|exig|impos)\w* ~ (?:penalites?|frais de (?:resiliation|sortie|retard)"
            r"|majorations?"
            r"|indemnites?|interets de retard|des dommages)",
            r"(?:nous )?(?:rendr\w+|rendons) ~ (?:publi\w+|difficile|impossible)|vous (?:compliquer|pourrir) la"
            r" (?:vie|tache)",
        ),
    ),
    Habit(
        Rule.GUILT,
        "La phrase culpabilise pour une décision qui appartient au client.",
        "Remerciez sans présenter la note : « Merci pour ces années. Nous avons beaucoup appris avec vous. »",
        (
            r"apres (?:tout|toutes?|tous) (?:ce que|ce qu|les \w+ que|ces \w+ que) (?:nous|on|je|notre equipe|l"
            r" equipe) ~ (?:fait"
            r"|faits|faite|donne|donnes|investi|consenti|consentis|sacrifie|offert|deploye)(?:e?s)?(?! ensemble)",
            r"comment (?:pouvez-vous|avez-vous pu|pourriez-vous|osez-vous|peut-on)(?: nous| encore| ainsi| me)?"
            r" (?:faire|quitter"
            r"|partir|abandonner|laisser|oublier|tourner|trahir|decevoir|jeter|demander|ecrire|prendre)",
            r"(?:c est|est-ce|voila) (?:donc )?(?:ainsi|comme ca|de cette facon|comment|la facon dont) que? ?vous"
            r" (?:nous"
            r" )?(?:remerciez|traitez|recompensez)",
            r"vous nous (?:devez|devriez|deviez)(?! (?:rien|aucun))",
            r"(?:un peu|un minimum|davantage|plus) de (?:loyaute|reconnaissance|gratitude|fidelite|consideration)",
            r"ingrats?|ingrates?|ingratitude|(?:avoir|devriez avoir) honte|quelle honte|c est honteux",
            r"nous (?:vous )?avons ~ (?:tout|tant|enormement) (?:donne|sacrifie|investi)",
            r"(?:passe|sacrifie|consacre) (?:nos|des|tant de|toutes nos) (?:nuits|soirees|week-ends|vacances"
            r"|efforts) ~ (?:pour"
            r" vous|pour votre|a votre|sur votre)",
            r"nous avons (?:tout|tant) (?:fait|donne) pour vous(?! \w+(?:er|ir|re)\b)",
        ),
    ),
    Habit(
        Rule.GUILT,
        "La phrase dépose nos émotions sur les épaules du client.",
        "Un mot sincère suffit : « Je regrette de vous voir partir, et je garde un très bon souvenir de ces années. »",
        (
            r"(?:nous (?:sommes|etions|nous sentons|en sommes|restons)|je (?:suis|me sens|reste)|l equipe (?:est|se"
            r" sent)|toute l"
            r" equipe (?:est|se sent)|on (?:est|se sent))(?: tres| vraiment| profondement| un peu| tous| si| plus que|"
            r" particulierement| extremement| sincerement| quelque peu)* (?:decue?s?|trahie?s?|blessee?s?"
            r"|abandonnee?s?|lachee?s?"
            r"|meurtrie?s?|effondree?s?|devastee?s?|atterree?s?|amers?|ameres?|choquee?s?|vexee?s?|ecoeuree?s?)(?!"
            r" (?:de (?:ne|n|nous)"
            r"|d avoir|par nous))",
            r"(?:brise|brisez|brisent|fend|fendez|creve|dechire)\w* le coeur|coeur brise|gros sur le coeur",
            r"nous (?:laisser tomber|abandonner|tourner le dos|trahir|lacher|planter la|laisser en plan)|vous nous"
            r" (?:abandonnez|laissez(?: tomber| en plan| seuls)|lachez|tournez le dos|trahissez|decevez|avez"
            r" (?:decus?|trahis?"
            r"|abandonnes?|laisses? tomber|laches?|tourne le dos))",
            r"(?:cela|ca|votre depart|votre decision|votre choix) (?:nous|me) (?:blesse|fait (?:beaucoup )?(?:de"
            r" )?(?:mal|peine)|fait"
            r" (?:beaucoup )?de la peine|peine|choque|heurte|decoit|attriste profondement)",
            r"(?:coup de poignard|gifle|coup dur|couteau dans le dos|camouflet) (?:pour|dans|a) ?",
        ),
    ),
    Habit(
        Rule.GUILT,
        "La phrase fait porter nos soucis au client : emplois, objectifs, confiance rompue.",
        "Gardez nos soucis chez nous. Le client a seulement besoin de savoir ce qui vient ensuite.",
        (
            r"(?:emplois?|postes?|primes?|objectifs?|salaires?|places?) ~ (?:depend\w*|menaces?|menacee?s?|en jeu|en"
            r" danger|en peril"
            r"|sur la sellette)",
            r"(?:pens\w+|songe\w+) (?:un peu |aussi |donc )?(?:a|aux) (?:notre|nos|l|mon|mes|ceux qui) ~ (?:equipes?"
            r"|salaries|familles"
            r"|collaborateurs|developpeurs|collegues|travail\w*)",
            r"(?:je|nous) (?:risque|risquons|vais|allons|pourrais|pourrions) (?:de )?(?:perdre|devoir (?:licencier"
            r"|fermer)|y laisser"
            r"|licencier)",
            r"nous (?:pensions|croyions|esperions|imaginions) ~ (?:partenaires?|amis?|confiance|fideles?|fidelite"
            r"|famille|compter sur"
            r" vous|loyaute|loyaux)",
            r"nous (?:comptions|avions compte|misions) sur vous",
            r"sans vous nous (?:allons|devrons|risquons|ne pourrons)",
            r"(?:expliquer|annoncer) (?:a|aux) (?:mon|mes|notre|nos|l) ~ (?:pourquoi vous|que vous (?:partez|nous"
            r" quittez|nous lachez))",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "La phrase met la pression du temps sur une décision déjà prise.",
        "Donnez la date et sa raison, sans plus : « Le plan démarre lundi ; dites-nous ce qu’il faut déplacer. »",
        (
            r"(?:derniere|ultime) (?:chance|occasion|oppor\w+|limite)",
            r"(?:avant qu il ne soit|avant qu il soit|il sera bientot|il n est pas) trop tard|il est encore temps"
            r" (?:de|d)|le temps"
            r" presse|chaque jour compte|le compte a rebours",
            r"(?:plus que|il (?:ne )?vous reste|seulement) ~ (?:jours?|heures?|semaines?) (?:seulement )?pour"
            r" (?:vous )?(?:decider"
            r"|changer|reflechir|renouveler|signer|profiter|revenir|agir|rester|reconsiderer)",
            r"vous (?:devez|avez a|etes tenus? de|etes pries? de|devrez)(?: \w+)? (?:vous )?(?:decider|signer"
            r"|repondre|confirmer"
            r"|payer|regler|trancher|valider|renvoyer|remplir|retourner|nous (?:repondre|dire|confirmer)) ~"
            r" (?:immediatement"
            r"|aujourd hui|maintenant|sans (?:delai|attendre|tarder)|au plus vite|avant|sous|d ici|demain|dans les"
            r"|ce soir)",
            r"imperativement|de toute urgence|dans les (?:plus brefs delais|24 heures|48 heures|24h|48h)",
            r"(?:repond(?:ez|re)|decid(?:ez|er)|sign(?:ez|er)|confirm(?:ez|er)|renouvel(?:ez|er)|revenez vers nous"
            r"|revenir vers nous"
            r"|dites-nous|tranch(?:ez|er)|agissez)(?:-nous)? ~ (?:immediatement|sans (?:delai|attendre|tarder)|au"
            r" plus vite|des"
            r" (?:aujourd hui|maintenant)|maintenant|avant (?:ce soir|demain|vendredi|midi|lundi)|le plus vite"
            r" possible|des que"
            r" possible|par retour)",
            r"vous (?:n )?avez (?:que |plus que |seulement )?(?:jusqu|\w+ (?:jours|heures)) ~ pour (?:vous"
            r" )?(?:decider|repondre"
            r"|changer|renouveler|signer|confirmer|reconsiderer|revenir)",
            r"(?:reponse|decision|action) (?:urgente|immediate)",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "La phrase discute une décision que le client a prise.",
        "Prenez la décision telle qu’elle est : « Je comprends, et je respecte votre choix. »",
        (
            r"(?:demand|pri|suppli|conjur|invit|exhort|encourag|conseill|esper|recommand|voulez-vous|souhaitons)\w*"
            r" (?:vous"
            r" )?(?:vivement |fortement |vraiment |instamment )?(?:de |d |a |que vous )?(?:bien vouloir |bien"
            r" )?(?:reconsiderer|revoir"
            r" votre|revenir sur|reflechir|changer d avis|changiez|reconsideriez|rester|rouvrir)",
            r"reconsiderez|revenez sur votre|reflechissez|ne (?:partez|nous quittez|prenez|faites|resiliez|commettez"
            r"|gachez) pas"
            r"|restez avec nous",
            r"etes-vous (?:vraiment |bien |absolument |tout a fait )?(?:surs?|sures?|certains?|certaines?"
            r"|sur\(e\)s?) (?:de vouloir|de"
            r" votre (?:choix|decision)|de (?:partir|nous quitter)|que c est|que ce|de ne pas)",
            r"(?:faites|commettez|feriez|faire|commettre|commettriez) une (?:grave |grosse |belle |lourde |enorme"
            r" )?erreur|(?:serait"
            r"|est) une (?:grave |grosse |enorme )?erreur (?:de|d|pour vous)",
            r"vous (?:ne |n )(?:en )?(?:trouverez|retrouverez|aurez) (?:\w+ )?(?:pas|nulle part|personne|rien"
            r"|jamais)(?: \w+){0,2}?"
            r" (?:mieux|ailleurs|meilleur|equivalent|qui|aussi|pareil|tel|accompagnement|niveau)",
            r"(?:aucun(?:e)?|nul) (?:autre )?(?:prestataire|fournisseur|concurrent|outil|solution|editeur|partenaire"
            r"|agence) ~ (?:ne|n"
            r"|offre|propose|connait|saura|vous)|(?:aucun(?:e)?|nul) (?:autre )?(?:prestataire|fournisseur"
            r"|concurrent|outil|solution"
            r"|editeur|partenaire|agence) (?:ne|n) ",
            r"(?:la plupart|beaucoup|nombre) (?:des clients|de clients|de ceux|d entreprises|des entreprises) ~"
            r" (?:reviennent|regrettent|finissent par|ont regrette|le regrettent)",
            r"(?:migration|migrer|changer d(?:e|) ?(?:outil|prestataire|fournisseur|solution)?|repartir de zero) ~"
            r" (?:risques?"
            r"|risque|dangereu\w+|cauchemar|penible|couteu\w+|complique\w*|hasardeu\w+|vous coutera)",
            r"vous (?:allez |risquez de |pourriez )?(?:perdrez|perdre|passez a cote|passer a cote|gacher|tout gacher)",
        ),
        deniable=False,
    ),
    Habit(
        Rule.PRESSURE,
        "La phrase exige une réponse. Qui part ne nous en doit aucune.",
        "Laissez libre : « Si vous préférez ne pas répondre, il n’y a aucun souci. »",
        (
            r"(?:reponse|repondre|reponses|questionnaire|enquete|entretien|echange|appel|rendez-vous|participation) ~"
            r" (?:obligatoires?|exigee?s?|requis|requise|indispensable)|obligatoire de (?:repondre|participer|remplir)",
            r"vous (?:devez|etes tenus? de|etes obliges? de|etes dans l obligation de) (?:\w+ )?(?:vous"
            r" )?(?:expliquer|justifier"
            r"|repondre|participer|remplir|nous (?:dire|expliquer|donner)|motiver|assister)",
            r"nous (?:exigeons|insistons|attendons (?:de vous|toujours|encore|une reponse|votre reponse|des"
            r" explications)|comptons"
            r" sur (?:votre reponse|une reponse)|vous demandons des explications)",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "La phrase relance en comptant les coups ; le silence est aussi une réponse.",
        "Relancez une fois, légèrement : « Au cas où mon message vous aurait échappé, voici le lien. Rien"
        " d’obligatoire. »",
        (
            r"(?:toujours|encore) (?:pas |rien )?(?:repondu|recu|eu|donne|de reponse|de nouvelles|sans (?:reponse"
            r"|nouvelles|retour)"
            r"|en attente de votre)|sans (?:reponse|nouvelles|retour) de votre part depuis|malgre nos (?:\w+"
            r" )?(?:relances|messages"
            r"|rappels|appels)",
            r"(?:troisieme|quatrieme|cinquieme|derniere|ultime|enieme) (?:relance|rappel)",
            r"ne nous (?:faites|laissez) pas (?:attendre|sans)|nous ne pouvons (?:plus|pas) attendre|nous"
            r" continuerons (?:a|de) (?:vous"
            r" )?(?:relancer|appeler|ecrire)",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.SELLING,
        "La phrase vend à quelqu’un qui vient de dire non, et fait passer la gentillesse pour un appât.",
        "Retirez l’offre. S’ils reviennent un jour, ce sera parce que le départ s’est bien passé.",
        (
            r"(?:offrons|offrir|offrirons|proposons|proposer|proposerons|accordons|accorder|accorderons|faisons"
            r"|faire|ferons"
            r"|beneficier|beneficiez|beneficierez|profiter|profitez|profiterez|consentir|consentons|obtenir|obtenez"
            r"|ajoutons) ~"
            r" (?:remises?|reductions?|rabais|ristournes?|geste|offres?|tarifs? (?!de sortie)\w+|mois (?:offerts?"
            r"|gratuits?)|promotions?"
            r"|prix|avantages?|contre-offre|formule|upgrade)",
            r"\d+\s?(?:%|pour\scent) (?:de (?:remise|reduction|rabais|moins)|moins cher|d economies?|sur (?:votre|le"
            r"|la)"
            r" (?:renouvellement|prochaine? \w+|abonnement))",
            r"(?:offres?|tarifs?|prix|gestes?|conditions|remises?|reductions?|proposition) (?:\w+ )?(?:exceptionnel"
            r"|special|speciaux"
            r"|exclusi|promotionnel|preferentiel|imbattable|unique|de derniere|de la derniere|de retention|de"
            r" fidelite|reduit|avantageu"
            r"|irresistible|revus? a la baisse|plus attracti)\w*",
            r"(?:derniere|ultime|nouvelle|meilleure) (?:offre|proposition (?:commerciale|tarifaire|de prix))",
            r"(?:mois|semaines?|an|annee|trimestre|licences?) (?:offerte?s?|gratuite?s?)|(?:gratuite?s?|offerte?s?"
            r"|gratuitement)"
            r" (?:pendant|durant|pour) ~ (?:mois|semaines?|an|trimestre)",
            r"(?:baisser|reduire|aligner|diviser|geler|revoir|ajuster|alleger|bloquer|nous aligner sur)(?: a la"
            r" baisse)? (?:le|la|les|votre"
            r"|vos|nos|notre|leur|leurs|un) (?:\w+ )?(?:prix|tarifs?|facture|abonnement|offre|concurrents?|cout"
            r"|conditions)|moitie prix",
        ),
    ),
    Habit(
        Rule.SELLING,
        "La phrase se sert de l’au revoir pour ouvrir une vente.",
        "Ne demandez rien en échange : « S’il vous faut quelque chose avant la fin, répondez simplement à ce"
        " message. »",
        (
            r"si vous (?:restez|renouvelez|signez|prolongez|revenez|changez d avis|vous reengagez|acceptez de rester) ~"
            r" (?:offr\w+|offert\w*|gratuit\w*|prix|tarif\w*|remise|reduction|economi\w+|benefici\w+|ajout\w+"
            r"|baiss\w+|inclu\w+|cadeau)",
            r"(?:renouvelez|restez|prolongez|signez|reabonnez-vous|revenez|reengagez-vous) ~ (?:et|pour|avant|des"
            r"|maintenant|jusqu)",
            r"(?:passez|passer|basculer|basculez|optez|opter) (?:a|vers|sur|pour) (?:notre|la|l|une|le|un) (?:\w+"
            r" )?(?:offre|formule"
            r"|version|abonnement|forfait|edition|pack)",
            r"avez-vous (?:deja )?(?:vu|decouvert|essaye|pense a|entendu parler de|teste|jete un oeil) ~ (?:notre"
            r"|nos|la|le|les) ~"
            r" (?:nouve\w+|dernier\w*|prochain\w*|offre|formule|module)",
            r"(?:decouvrez|essayez|testez|profitez de) (?:notre|nos|la nouvelle|le nouveau|des maintenant|sans"
            r" attendre)",
            r"(?:notre|nos) (?:tout |toute )?(?:nouve\w+|dernier\w*|prochain\w*) (?:\w+ )?(?:produits?"
            r"|modules?|fonctionnalites?|versions?|offres?"
            r"|formules?|plateforme|outil) ~ (?:pourrai\w+|va|vont|devrai\w+|saura|sauront|repond\w*|convain\w+|vous)",
            r"avant de (?:partir|nous quitter|vous decider|resilier|tourner la page) ~ (?:decouvr\w+|regard\w+"
            r"|laissez|jet\w+|essay\w+"
            r"|test\w+|parl\w+ de nos|presenter|montrer)",
            r"(?:que|qu est-ce qui|quelle offre|a quelles conditions) (?:faudrait-il|pourrions-nous|pouvons-nous"
            r"|pourrait|seriez-vous"
            r"|resteriez-vous|vous ferait) ~ (?:rest\w+|gard\w+|convainc\w+|changer d avis|proposer|offrir"
            r"|renouveler)|(?:a quelles"
            r" conditions|a quel prix) (?:\w+ )?(?:resteriez|seriez|accepteriez)",
            r"(?:economisez|economiser|economiseriez|economiserez) ",
            r"(?:reserver|reservez|organiser|planifier|offrir|montrer|presenter) ~ (?:demo|demonstration|nouve\w+"
            r" (?:offre|version|module"
            r"|formule|produit))",
            r"(?:passer|passez) (?:une |votre )?commande|souscri(?:re|vez) (?:a|des|maintenant|de nouveau)",
        ),
    ),
)

TONGUE = Tongue(
    habits=(*_HABITS, *TURNS),
    negators=r"ne|n|pas|jamais|rien|aucun|aucune|ni|sans|personne|nullement|plutot que|au lieu de|loin de",
    denials=(
        r"(?:personne|pas|jamais|sans|loin de|rien|nul) (?:\w+ ){0,3}(?:dire|dit|disons|pense|pensons|penser"
        r"|suggerer|reprocher"
        r"|reproche|reprochons|pretendre|parce que|croire|laisser entendre)"
    ),
    turns=r"pourquoi ne pas|mais|cependant|toutefois|pourtant|neanmoins|a moins",
    conditions=r"si|s|lorsque|quand|ce que|au cas ou|questions?|tout ce",
    citing=(
        r"(?:vous|ils|elles|il|elle|on|client|contact|interlocuteur)(?: \w+){0,3} (?:dit|ecrit|ecriviez|disiez|dites"
        r"|parlez|evoque"
        r"|mentionne|signale|repondu|note|explique|confie|parle|demande)|vos (?:propres )?(?:mots|termes)|votre"
        r" (?:message|reponse"
        r"|commentaire|phrase|remarque|mot|e-?mail|courriel)|leurs mots|selon vous"
        r"|(?:jamais|pas|eviter|evitez|plutot que|au lieu de|sans) (?:\w+ ){0,2}(?:dire|ecrire|promettre|dites"
        r"|ecrivez|parler)?"
    ),
    citing_after=(
        r"(?:nous )?(?:avez-vous|disiez-vous|dites-vous|ecriviez-vous|ont-ils|a-t-il|a-t-elle)(?: \w+)?|comme vous"
        r" (?:le |l |nous )"
    ),
    short_forms=((re.compile(r"(?<=\w)'(?=\w)"), " "), (re.compile(r"\b(\w+) - (?=vous\b|nous\b)"), r"\1-")),
)
