"""Common turns of speech behind each fault of tone in French (P-27).

:mod:`workflows.tone_fr` knows set phrases. Here is how people build a reproach, a threat or a plea out of any words:
where the trouble comes from, what would not have happened, what nobody did, what was warned of, what must be by when.
Phrases are written without accents, as texts are read.
"""

from __future__ import annotations

from workflows.tone_rules import Habit, Rule

_NOTRE = "Parlez de nous : « Nous n’avons pas su le faire fonctionner pour vous, et nous le regrettons. »"
_ENNUIS = (
    r"(?:problemes?|retards?|erreurs?|echecs?|ennuis|difficultes?|blocages?|fautes?|soucis|malentendus?|derapages?"
    r"|causes?"
    r"|origine|lenteurs?|pannes?|incomprehensions?|responsabilite)"
)
_CHEZ_VOUS = (
    r"(?:(?:vos|votre) (?:\w+ )?(?:equipes?|collaborateurs?|utilisateurs?|direction|collegues|services?|hierarchie"
    r"|societe"
    r"|entreprise|managers?|salaries|developpeurs|cote|chef de \w+)(?: \w+que)?)"
)
_RATE = (
    r"(?:echou\w+|echec|rate|rater|traine|trainer|derape|retarde|retard|bloque|capote|impossible|trop tard"
    r"|mal (?:tourne|passe)"
    r"|tombe a l eau|n a pas (?:marche|fonctionne|abouti)|n a jamais (?:marche|fonctionne|abouti))"
)
_LACHE = (
    r"(?:refuse(?:nt)?|neglige|ignore|boude|bloque|sabote|traine|tarde|freine|oublie|laisse (?:trainer|tomber|filer)"
    r"|prefere"
    r" ignorer|change (?:\w+ )?d avis|repousse|reporte|annule)"
)

TURNS = (
    Habit(
        Rule.BLAME,
        "La phrase fait remonter les ennuis à la personne qui la lit.",
        _NOTRE,
        (
            rf"{_ENNUIS} ~ (?:venai\w+|vien\w+|vient|provien\w+|provenai\w+|sont|etai\w+|est|decoul\w+|remont\w+"
            rf"|incomb\w+) ~ (?:de"
            rf" chez vous|de votre|de vos|de vous|a vous|a votre|votre fait|du votre|chez vous)",
            r"(?:tout cela|tout ca|tout|cela|ca|ceci) (?:\w+ )?(?:vient|venait|decoule|resulte|remonte|tient|est du"
            r"|est venu)"
            r" (?:de|a) (?:votre|vos|vous|chez vous|ce que vous)",
            r"vous (?:etes|en etes|etiez|y etes) (?:\w+ )?(?:a l origine|pour beaucoup|la cause|les responsables"
            r"|le probleme)",
            r"(?:vous l avez|vous vous l etes|vous l aviez) (?:bien )?(?:cherche|voulu|inflige)|ne (?:\w+ )?(?:prendre"
            r"|prenez-vous"
            r"|blamer) (?:\w+ )?qu a vous|vous n avez qu a vous en|de votre (?:propre )?fait|par votre (?:faute|fait)",
            rf"(?:parce que|car|puisque|du fait que) (?:vous|{_CHEZ_VOUS}) ~~ {_RATE}|{_RATE} ~~ (?:parce que|car"
            rf"|puisque) (?:vous|"
            rf"{_CHEZ_VOUS}|personne chez vous)",
            r"(?:vos|votre) (?:querelles|conflits|problemes|lenteurs?|hesitations|revirements?|negligences?|exigences"
            r" (?:irrealistes|changeantes)|desorganisation|indifference|entetement|attentisme|impatience|inertie)",
            r"(?:de|du) (?:votre|vos) (?:decision|choix) (?:de|d) (?:\w+ )?(?:sauter|ignorer|ne pas|reporter|refuser"
            r"|supprimer"
            r"|changer|reduire|negliger)",
        ),
    ),
    Habit(
        Rule.BLAME,
        "La phrase dit combien tout se serait bien passé, sans la personne qui la lit.",
        "Dites ce que vous en retenez : « Nous aurions aimé l’apprendre plus tôt ; nous poserons la question avant. »",
        (
            rf"si (?:seulement )?(?:vous|{_CHEZ_VOUS}|quelqu un chez vous|on) (?:nous |y |en |l |vous |s y )?(?:aviez"
            rf"|avaient|avait"
            rf"|etiez|etaient|etait|vous etiez|s etaient|s etait) ~~ \w+ ~~ (?:aurait|auraient|aurions|serait|seraient"
            rf"|serions|pourrait)",
            rf"\w{{2,}}(?:rait|raient)(?! (?:\w+ )?(?:heureu\w|ravi|bien|utile|gentil|parfait|pratique|souhaitable"
            rf"|aimable)) ~~ si (?:seulement )?(?:vous|{_CHEZ_VOUS}"
            rf"|quelqu un chez vous) ~ (?:aviez"
            rf"|avaient|avait|etiez|etaient)",
            r"(?:il vous|il) (?:suffisait|aurait suffi) de",
        ),
    ),
    Habit(
        Rule.BLAME,
        "La phrase dresse la liste de ce qui n’a pas été fait ; qui la lit n’écoute plus.",
        "Laissez le passé de côté, ou dites le fait sans coupable : « Nous n’avons pas pu nous voir après mars. »",
        (
            rf"{_CHEZ_VOUS} (?:ont|a|avaient|avait|se sont|s est) ~ {_LACHE}",
            r"(?:personne|aucun \w+|aucune \w+) (?:chez vous|de votre cote|de vos \w+|dans votre \w+"
            r"|de chez vous) (?:ne |n )(?:\w+"
            r" )?(?:est|a|s est|venait|repondait|voulait|lisait|participait|utilisait|suivait|daignait)(?! (?:besoin|a"
            r"|rien|commis"
            r"|fait d|fait de"
            r"|a blamer|responsable|fautif))",
            r"vous nous (?:avez|aviez) (?:\w+ )?(?:laisses?|laissees?|tenus?|maintenus?"
            r"|fait) (?:\w+ )?(?:dans (?:le flou|l ombre|l"
            r" ignorance|l attente|le noir)|sans (?:reponse|nouvelles|retour|consigne)|attendre|lanterner|a l ecart"
            r"|poireauter)",
            r"vous (?:avez|aviez|n avez cesse de|n avez fait que) (?:\w+ )?(?:sans cesse |toujours |constamment "
            r"|encore )?"
            r"(?:repousse|repousser|annule|annuler|reporte|reporter|saute|sauter|rate|manque|boude|seche|change"
            r"|changer|modifie) ~"
            r" (?:reunions?|formations?|rendez-vous|points?|seances?|ateliers?|echeances?|etapes?|fois|avis|perimetre"
            r"|plans?"
            r"|interlocuteurs?|conseils?|mises? en garde|derniere minute)",
            r"vous avez (?:mis|attendu|laisse passer) ~ (?:semaines|mois|trop longtemps|une eternite"
            r"|la derniere minute|le dernier"
            r" moment)",
            r"nous avons (?:fait|tenu|rempli) notre (?:part|role|parole) ~ (?:vous|vos|votre)"
            r"|la balle etait dans votre camp",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.BLAME,
        "La phrase dit que nous le savions, ou que la personne qui lit est la seule à avoir du mal.",
        "Prenez la remarque telle quelle : « Pour vous, cela n’a pas marché, et c’est ce qui compte. »",
        (
            rf"{_CHEZ_VOUS} (?:ne |n )(?:\w+ )?(?:etai\w+|est|sont|a|ont|avai\w+) (?:jamais|pas"
            rf"|guere) (?:\w+ )?(?:ete )?(?:a la hauteur"
            r"|prete?s?|capables?|competente?s?|motivee?s?|disponibles?|organisee?s?|impliquee?s?|serieu\w+"
            r"|interessee?s?)",
            r"vos (?:\w+ )?(?:attentes|exigences|demandes|delais|besoins|souhaits) (?:etaient|sont"
            r"|ont toujours ete) (?:\w+ )?(?:irrealistes?"
            r"|deraisonnables?|exagere\w*|impossibles?|excessi\w+|floues?|contradictoires?|demesure\w*)",
            r"(?:on|nous) (?:ne )?(?:peut|pouvons|pourra\w*|saurait|saurions) (?:pas )?(?:nous |etre )(?:tenir "
            r"|tenus? )?(?:pour )?"
            r"responsables? de (?:votre|vos|ce que vous)|(?:ne )?(?:venez|allez) pas (?:vous )?(?:plaindre"
            r"|nous (?:reprocher|accuser))",
            r"vous (?:ne |n )(?:nous |y |vous |en )?(?:avez|etiez|etes|aviez) (?:jamais|pas|guere"
            r"|a peine) (?:\w+ment )?(?:designe|nomme"
            r"|choisi|ouvert|teste|compris|appris|mis|cree|fini|termine|eu (?:la|le|l|de) (?:patience|temps|volonte"
            r"|interet)|connecte"
            r"|interesse|investi)(?:e?s)?",
            r"vous avez (?:vite |trop vite )?(?:baisse les bras|abandonne avant|renonce avant)|(?:et )?(?:voila"
            r"|voici) le resultat|c est"
            r" vous qui (?:avez|aviez|etes|vouliez|ne)|vous avez (?:valide|approuve|signe|accepte) ~ (?:ne venez|alors"
            r"|donc)",
            rf"(?:vous (?:etes|etiez|avez ete|aviez ete)|{_CHEZ_VOUS} (?:etai\w+|est|sont|a ete"
            rf"|ont ete)) (?:\w+ )?(?:un client (?:difficile"
            r"|penible|exigeant|impossible)|mal (?:prepare|organise|forme|dirige|gere)e?s?|desorganisee?s?"
            r"|negligente?s?|trop (?:lente?s?"
            r"|passi\w+|occupee?s?|exigeante?s?|impatiente?s?)|incapables?|deraisonnables?|passi[fv]e?s?|hostiles?"
            r"|inattenti\w+)",
            rf"{_CHEZ_VOUS} (?:avait|avaient|a|ont) (?:eu )?d autres (?:priorites|soucis|projets|chats)|(?:difficile"
            rf"|impossible) d"
            r" (?:attendre|esperer) des (?:resultats|progres|miracles)",
            r"(?:plus|davantage|un peu|assez|beaucoup plus) (?:d |de )(?:\w+ )?(?:efforts?|engagement|bonne volonte"
            r"|implication|interet"
            r"|patience|rigueur|cooperation|attention|serieux) ~ (?:de votre part|de votre cote|chez vous"
            r"|de vos equipes)",
            rf"(?:vous|{_CHEZ_VOUS}) (?:\w+ ){{0,2}}(?:si|trop|tres) peu (?:de |d )(?:temps|efforts?|interet|moyens"
            rf"|attention|soin)"
            r"|y consacre (?:si|trop) peu",
            r"(?:difficile|impossible|pas facile|pas simple) (?:de |d )(?:aider|travailler avec|accompagner|satisfaire"
            r"|joindre|faire plaisir a)"
            r" (?:vous|quelqu un|un client|des gens|vos|votre)|parce que personne (?:chez vous|dans vos|dans votre"
            r"|de vos|de votre)",
            r"comme (?:je|nous) (?:vous )?(?:le |l |en |vous l )?(?:avais|avions|avons|ai) (?:bien |deja "
            r"|pourtant )?(?:annonce"
            r"|predit|redoute|averti|avertis|prevenu|prevenus|dit ~~ (?:devait|allait|fallait|si vous))",
            r"(?:je|nous) (?:vous )?(?:l |en |vous l |vous en )(?:avais|avions) (?:bien |pourtant )?(?:dit|prevenue?s?"
            r"|avertie?s?)"
            r"|on vous avait (?:prevenue?s?|avertie?s?|bien dit)|cela devait arriver|c etait a prevoir",
            r"aucun autre (?:client|utilisateur|service) (?:ne |n )(?:\w+ )?(?:a|est|s est|rencontre|plaint)"
            r"|(?:tous les autres|nos"
            r" autres clients|tout le monde) ~ (?:y arriv\w+|s en sort\w*|en (?:est|sont) (?:tres )?(?:satisfaits?"
            r"|contents?)"
            r"|fonctionne|utilis\w+ sans)",
            r"vous (?:n avez|n aviez) (?:tout simplement |manifestement |visiblement )?(?:rien|pas"
            r"|jamais) (?:vraiment )?compris"
            r"|vous (?:avez|aviez) (?:\w+ )?(?:mal compris|mal utilise|sous-estime|surestime|trop attendu)",
        ),
        deniable=False,
        not_after_if=True,
    ),
    Habit(
        Rule.THREAT,
        "La phrase fait dépendre un accès ou des données d’autre chose. Un client menacé le raconte.",
        "Séparez les deux : « Votre export est prêt. Pour la facture en attente, [nom] vous appellera. »",
        (
            r"(?:si|tant que|a moins que|aussi longtemps que) (?:la|les|votre|vos|cette|le|l) (?:\w+ )?(?:factures?"
            r"|soldes?|paiements?"
            r"|montants?|reglements?|dettes?|impayes?) ~~ (?:couper\w+|suspend\w+|bloqu\w+|desactiv\w+|gel\w+|retir\w+"
            r"|n aurez|ne"
            r" recevrez|ne recuperer\w+|ne rendr\w+|perdr\w+|sera coupe|seront coupes|sera suspendu|seront suspendus)",
            r"(?:effaces?|effacees?|supprimes?|supprimees?|fermes?|suspendus?|bloques?|coupes?|detruits?"
            r"|detruites?) ~ sans (?:autre |aucun )?"
            r"(?:preavis|avertissement|avis)|(?:faire appel|recourir|m adresser|nous adresser"
            r"|confier l affaire) a (?:nos |un |mes |notre )?"
            r"(?:avocats?|huissiers?|conseils?|juristes?)",
            r"pas de (?:signature|paiement|reponse|reglement) pas de (?:donnees|export|acces|fichiers|aide)"
            r"|vous paierez ~ (?:que vous"
            r"|quoi qu|de toute facon|ou non|de gre)",
            r"(?:devant|face a) (?:le|un) (?:juge|tribunal)|sans (?:\w+ )?(?:paiement|reglement|signature"
            r"|argent) ~ (?:il n y aura (?:pas|aucun"
            r"|ni)|pas d|pas de|aucun\w* (?:export|acces|fichier|donnee)\w*)",
            r"(?:notre|le) (?:service|departement) (?:juridique|contentieux|recouvrement) (?:prendra|se chargera"
            r"|interviendra|vous)"
            r"|(?:revoque|coupe|suspendu|resilie|desactive)e?s? (?:du jour au lendemain|sur-le-champ|immediatement) si",
            r"vous savez ce qui (?:arrive|attend|se passe)|faites (?:cela|ca) et (?:nous|vous|je)|(?:informer\w*"
            r"|previendr\w+|alerter\w*) (?:vos"
            r"|votre) (?:\w+ )?(?:fournisseurs|banque|clients|partenaires|investisseurs|patron|superieurs?)",
            r"(?:partez|quittez-nous|resiliez|arretez)(?: maintenant| aujourd hui| tout de suite"
            r"| de payer)? et (?:vous|vos|nous|tout) ~"
            r" (?:disparu\w*|perdr\w+|perdu\w*|supprim\w+|paierez|regretter\w+|poursuiv\w+)",
            r"vous (?:vous )?(?:exposez|exposerez|encourez|risquez) (?:a |de |d )?(?:des |une |un |lourdes "
            r"|suites )?(?:\w+ )?(?:suites"
            r"|poursuites?|penalites?|proces|sanctions?|frais|judiciaires?|juridiques?|consequences)",
        ),
    ),
    Habit(
        Rule.GUILT,
        "La phrase présente nos efforts comme une dette.",
        "Remerciez sans présenter la note : « Merci pour ces années. Nous avons beaucoup appris avec vous. »",
        (
            r"apres (?:tout|toutes?|tous|tant d|tant de) (?:\w+ )?(?:nuits|soirees|week-ends|heures|efforts|sacrifices"
            r"|travail|energie"
            r"|patience|services) (?:que |qu )?(?:nous|on|je|mon equipe|notre equipe|passe\w*|consacre\w*"
            r"|rendus?)(?! ~ ensemble)",
            r"(?:pliee?s? en quatre|mis en quatre|remue ciel et terre|travaille jour et nuit|donne sans compter"
            r"|coupe en quatre|tout"
            r" lache) ~ (?:pour vous|pour votre|pour vos)|pour vous (?:\w+ ){0,3}(?:plies? en quatre|jour et nuit)",
            r"voila (?:donc )?(?:comment|ce que|notre recompense|le remerciement|la facon)|c est (?:tout )?le merci"
            r"|tu parles d une",
            r"(?:je|nous) (?:croyais|croyions|pensais|pensions|me croyais|nous croyions) ~"
            r" (?:amie?s?|amities?|partenaires?|proches|une famille|complices?|lien)",
            r"(?:cela|ca) (?:\w+ )?fait (?:tres |bien )?mal|(?:mis|verse|laisse) (?:tout )?(?:mon|notre"
            r"|nos) (?:coeurs?|ames?) ~ dans|(?:jetez|jeter"
            r"|jete) a la figure|(?:peu de (?:valeur|cas|importance)|combien peu) ~ (?:notre|nos|mon) (?:travail"
            r"|efforts?|equipes?)",
            r"(?:mon|notre|ma) (?:responsable|chef|patron|direct\w+|hierarchie) (?:me|nous|va|m|nous en) ~ (?:tiendra"
            r"|tenir|reprocher\w*|voudra"
            r"|coupable|responsable|licencier\w*)|(?:resteriez|seriez|etiez) (?:a|de) nos? cotes?|vous au moins",
            r"(?:perdr\w+|risqu\w+ de perdre) (?:\w+ ){0,2}(?:leur|son) (?:poste|emploi|place|travail|prime)"
            r"|avez-vous (?:donc |deja )?oublie"
            r" (?:tout|ce que|combien)|(?:nous|je|l equipe) (?:meritions|meritais|meritait|meritons) (?:mieux|plus"
            r"|davantage)",
            r"(?:dors|dormons) (?:mal|plus)|(?:ne )?dors plus|(?:votre|vos) (?:lettre|courrier|message"
            r"|decision) (?:nous |m |me )?(?:a|ont)"
            r" (?:\w+ )?(?:brise|choque|bouleverse|aneanti|demoralise|gache)",
            r"(?:dur|difficile|douloureux|amer) (?:pour nous |pour moi )?a (?:encaisser|avaler|accepter|digerer)"
            r"|(?:en larmes|perdu le"
            r" sommeil|pleure|nuits blanches)",
            r"(?:effondree?s?|bouleversee?s?|demoralisee?s?|abattue?s?|sous le choc) (?:a cause de|par votre"
            r"|depuis votre)",
        ),
    ),
    Habit(
        Rule.PRESSURE,
        "La phrase fixe un délai pour répondre, ou annonce une dernière fois.",
        "Laissez libre : « Si vous préférez ne pas répondre, il n’y a aucun souci. »",
        (
            r"(?:il me faut|il nous faut|j ai besoin de|nous avons besoin de|j attends|il me faudrait"
            r"|je veux) (?:absolument"
            r" |imperativement )?(?:votre|une|vos) (?:\w+ )?(?:reponse|decision|signature|accord|confirmation"
            r"|engagement) ~ (?:avant"
            r"|aujourd|demain|d ici|ce soir|midi|maintenant|tout de suite|au plus tard|sous)",
            r"vous (?:ne |n )(?:re)?trouverez ~~ (?:nulle part|ailleurs)",
            r"(?:derniere|ultime) fois que (?:je|nous) (?:\w+ )?(?:peux|pouvons|pourrai|pourrons|propose|proposons"
            r"|vous propose|vous"
            r" proposons|offre)",
            r"nous (?:attendons|exigeons|voulons) (?:votre|une|vos) (?:\w+ )?(?:retour|reponse|avis|explications?"
            r"|decision)s? ~ (?:avant|d ici"
            r"|demain|aujourd|sous|ce soir)|(?:decision|choix) que vous (?:regretter\w+|allez regretter)|(?:bien"
            r"|vraiment) reflechi",
            r"(?:rappel\w+|appel\w+|repond\w+|ecri\w+)(?:-moi| me| moi) (?:aujourd|dans l|maintenant|tout de suite"
            r"|avant|sans|immediatement)"
            r"|(?:me|nous) (?:rappeler|repondre|recontacter) (?:dans l heure|aujourd|avant|sous|sans attendre"
            r"|tout de suite)|(?:appeler"
            r"|contacter|ecrire a|saisir) (?:directement )?votre (?:directeur|directrice|patron|superieur|pdg"
            r"|hierarchie|direction)",
            r"personne de (?:sense|serieux|raisonnable)|aucune? (?:\w+ )?(?:entreprise|personne|client"
            r"|dirigeant) (?:serieu\w+|sensee?"
            r"|raisonnable) |(?:jeter|jetez|gacher|gachez|balayer) ~ (?:ans?|annees?|mois|travail|efforts"
            r"|investissement)",
            r"(?:je|nous) (?:ne |n )(?:accepterai|accepterons|accepte|acceptons|peux accepter"
            r"|pouvons accepter) (?:pas )?(?:cette|votre|ce)"
            r" (?:decision|choix|resiliation|depart)",
            r"(?:reflechissez|pensez)(?:-y)? (?:bien |a deux fois|avant)|(?:y regarder|reflechir) a deux fois",
            r"(?:tous|toutes|ceux|celles|tout le monde|beaucoup|la plupart)(?: de)?(?: ceux| celles| les clients"
            r"| les entreprises)? qui"
            r" (?:nous )?(?:ont|sont|avaient) (?:\w+ )?(?:quittes?|parti\w*|resilie\w*|change) ~~ (?:reven\w+"
            r"|regrett\w+|de retour"
            r"|mordu)",
            r"il sera(?:it)? (?:bientot |vite |alors )?trop tard|vous (?:verrez|allez voir)(?: bien)?"
            r"|vous voila prevenus?|(?:fenetre"
            r"|porte|offre) (?:se ferme|va se fermer|expire)",
        ),
    ),
    Habit(
        Rule.SELLING,
        "La phrase se sert de l’au revoir pour ouvrir une vente.",
        "Ne demandez rien en échange : « S’il vous faut quelque chose, répondez simplement à ce message. »",
        (
            r"et si (?:nous|on|je) (?:vous )?(?:offri\w+|accordi\w+|baissi\w+|faisi\w+|proposi\w+|divisi\w+|reduisi\w+"
            r"|prolonge\w+)"
            r"|et si vous (?:restiez|renouveliez|prolongiez|essayiez|repreniez|repartiez)",
            r"pourquoi ne pas (?:rester|renouveler|repartir|essayer|prolonger|reprendre|continuer|signer|tenter"
            r"|vous reengager)",
            r"(?:donnez|laissez|accordez)(?:-nous|-lui)? (?:encore )?(?:une (?:nouvelle |seconde |autre "
            r"|derniere )?chance|un an|un mois"
            r"|une annee)",
            r"(?:mois|semaines?|annee|trimestre|licences?|mise en place) (?:est|sont|serait|seraient|sera"
            r"|seront) (?:pour nous|offerte?s?"
            r"|gratuite?s?|notre cadeau|a notre charge)|avez-vous (?:deja )?(?:pense|songe|reflechi) a (?:notre|nos)"
            r"|offre (?:tres |vraiment )?"
            r"(?:interessante|attractive|alleches?\w*|sur mesure|taillee)|laissez-(?:moi|nous) vous (?:montrer"
            r"|presenter)",
            r"(?:faire|arranger|trouver) (?:quelque chose|un geste|un arrangement|une solution) (?:sur|pour"
            r"|au sujet d\w+) (?:le|votre|les|du) (?:prix"
            r"|tarif|budget|abonnement|conditions)|parlons (?:d un|de|du|d une) (?:nouve\w+ |meilleur\w* )?(?:contrat"
            r"|prix|tarif|offre"
            r"|formule|prolongation)|(?:meilleures?|nouvelles|autres) conditions",
            r"(?:pour cent|%) sur (?:votre|vos|le|la|les) (?:prochain\w*|premier\w*|nouve\w+)"
            r"|ne coute(?:nt)? (?:presque|quasiment|quasi) rien"
            r"|(?:en promotion|en promo|en solde|prix casse\w*|a prix reduit)|programme (?:partenaire|de fidelite"
            r"|de parrainage)",
            r"(?:prenez|choisissez|gardez) (?:plutot |au moins )?(?:la|notre|une) (?:petite |plus petite "
            r"|moindre )?(?:formule|offre|version"
            r"|licence)",
            r"(?:regle|resout|corrige) (?:tout|tous)|(?:restez|resterez|rester) (?:encore )?(?:avec nous|chez nous"
            r"|un an|client)",
        ),
    ),
)
