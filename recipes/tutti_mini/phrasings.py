"""The ways to ask. Of every list, the phrasings after the bar are never trained on.

`{m}` is the medium's name, `{thing}` a name, `{a}` a name with its article, `{many}` the plural, `{at}` a place.
"""

from __future__ import annotations

_TEXT = """
what: What is this? / What do you see? / What is in the {m}? / What does the {m} show? / Name the object. / What can be seen here?
 / What is shown here? / Which object is this? / What thing is this? / Tell me what this is. / What am I looking at?
 / Name what you see. / What is it? / What is pictured? / Can you name this object? / What does this look like to you?
 | What object is in the {m}? / What is visible here? / Say what this is. / Could you tell me what is shown? / Identify the object.
what_at: What is {at}? / What do you see {at}? / What can be seen {at}? / Which object is {at}? / Name the thing {at}.
 / What is shown {at}? / What thing is {at}? / Tell me what is {at}. / Which thing is {at} of the {m}? / What is there {at}?
 / Name what is {at}. / Look {at}: what is there? | What object lies {at}? / Identify the thing {at}. / What would I find {at}? / Say what is {at}.
what_photo: What is this? / What is in the photo? / What does the photo show? / What do you see in this photo? / What is in the {m}?
 / Name what the photo shows. / What is shown here? / What kind of thing is this? / Which object is this? / What can be seen here?
 / What is pictured? / What does this {m} show? / What animal or thing is this? / What is it? / Tell me what is in the photo. / What am I looking at?
 | What is the subject of this photo? / What was photographed here? / Identify what the photo shows. / What object is in the {m}? / Say what this is.
what_clothing: What piece of clothing is this? / What kind of clothes are shown? / Which garment is this? / What is this garment called?
 / Name the piece of clothing. / What clothing do you see? | What garment do you see? / Which item of clothing is this?
what_food: Which food is this? / What food product is this? / What kind of food is in the {m}? / Which grocery item is this?
 / What could I buy here? / Name the food. | What groceries are these? / Which food item do you see?
what_hand: Which number does the hand show? / What number is the hand showing? / Which digit does this hand sign mean?
 / What number is signed here? / How would you read this hand sign? / What does the hand sign say? / Which number do the fingers show?
 | Which number is being signed? / Read the number from the hand. / What digit do you see on the hand?
what_xray: What does the x-ray show? / What is the finding of this x-ray? / What is found in this chest x-ray? / What does the chest picture show?
 / What do you find in this x-ray? / Name the finding. | Which finding does the x-ray have? / What would the report on this x-ray say?
what_shade: How light or deep is this shade? / Which shade group is this foundation? / What shade is this swatch? / How deep is this makeup shade?
 / Which skin tone group does this swatch belong to? / What shade of foundation is this? | How would you class this shade? / Which group of shades is it?
colour: What colour is the {thing}? / What is the colour of the {thing}? / Which colour does the {thing} have? / In which colour is the {thing}?
 / Tell me the colour of the {thing}. / What color is the {thing}? / Which color is the {thing}? / Name the colour of the {thing}.
 / The {thing} has what colour? / How is the {thing} coloured? / What is the color of the {thing}? / Which colour do you see on the {thing}?
 | What color does the {thing} have? / The {thing} is of which colour? / Say the colour of the {thing}. / What colour has the {thing}?
count: How many {many} are there? / How many {many} do you see? / How many {many} are in the {m}? / Count the {many}. / What is the number of {many}?
 / How many {many} can be seen? / How many {many} does the {m} show? / Tell me how many {many} there are. / How many {many} are shown?
 / How many {many} are visible? / What number of {many} is there? / Please count the {many}.
 | How many {many} can you count? / Give the number of {many}. / How many {many} appear in the {m}? / Say how many {many} there are.
where: Where is the {thing}? / Where do you see the {thing}? / Where in the {m} is the {thing}? / In which place is the {thing}?
 / Where can I find the {thing}? / Tell me where the {thing} is. / At which place is the {thing}? / Where has the {thing} been put?
 / In which part of the {m} is the {thing}? / Which part of the {m} holds the {thing}? / Where does the {thing} lie? / Where is the {thing} placed?
 | Where should I look for the {thing}? / What is the position of the {thing}? / Say where the {thing} is. / Whereabouts is the {thing}?
relation: What is {side} the {thing}? / Which thing is {side} the {thing}? / What do you see {side} the {thing}? / What is there {side} the {thing}?
 / Name the thing {side} the {thing}. / Which object is {side} the {thing}? / What can be seen {side} the {thing}? / Tell me what is {side} the {thing}.
 / What lies {side} the {thing}? / What is shown {side} the {thing}? / Name what is {side} the {thing}. / Look {side} the {thing}: what is it?
 | What object is {side} the {thing}? / What has been put {side} the {thing}? / Say what is {side} the {thing}. / Which of the things is {side} the {thing}?
size: Which is {more}, the {one} or the {two}? / What is {more}, the {one} or the {two}? / Is the {one} or the {two} {more}?
 / Which of them is {more}: the {one} or the {two}? / Which looks {more}, the {one} or the {two}? / Which one is {more} here, the {one} or the {two}?
 | Of the {one} and the {two}, which is {more}? / Which is drawn {more}, the {one} or the {two}?
read: Which word is written here? / What is written in the {m}? / What does the text say? / Read the word. / What word do you see? / What does it say?
 / Which word can be read? / What text is in the {m}? / Read what is written. / What is written here? / What does the writing say? / Which word is it?
 / Tell me what is written. / Please read the text. | What can you read here? / Which text do you see? / Say which word is written. / What word does the {m} show?
read_number: Which number is written here? / What number is in the {m}? / What number do you see? / Read the number. / Which number can be read?
 / What is the number? / Which number is it? / Tell me the number. | What number can you read? / Say which number is written.
sound: What do you hear? / What is that sound? / What can be heard? / What sound is this? / What is heard? / Which sound is it? / Name the sound.
 / What makes this sound? / What is making the noise? / What is that noise? / Tell me what you hear. / What does the recording hold? / What is the sound?
 / Which sound can be heard? | What am I hearing? / Identify the sound. / What could make this sound? / Say what can be heard. / What are you hearing?
sounds: Which two sounds do you hear? / What are the two sounds? / Which sounds can be heard? / Name both sounds. / What do you hear? / What can be heard?
 / Tell me both sounds. / Which sounds are there? | What two things can be heard? / Identify both sounds. / Which sounds are you hearing?
digit: Which digit is spoken? / Which digit do you hear? / What number is said? / Which number is spoken? / What digit does the voice say? / Which number do you hear?
 / What number does the speaker say? / Tell me the digit that is spoken. / Which digit is said? / Name the spoken digit. / What is the spoken number? / What number is it?
 / What does the voice say? | Which digit can be heard? / Say which number is spoken. / What digit is being said? / Which number does the voice name?
digits: Which digits are spoken? / Which digits do you hear? / What numbers are said? / Name the spoken digits in order. / Which numbers do you hear?
 / What digits does the voice say? / Tell me the digits in order. / Write down the spoken digits. / Which numbers are spoken? / What does the voice say?
 | Which digits can be heard, in order? / Say which numbers are spoken. / What digits are being said? / List the digits you hear.
keyword: Which word is spoken? / Which word do you hear? / What does the voice say? / What is said? / What word is said? / Which word does the speaker say?
 / Tell me the spoken word. / What does the person say? / Name the word that is spoken. / What is the spoken word? / What word can be heard? / Which keyword is spoken?
 | Which word is being said? / Say which word you hear. / What word does the voice say? / Which keyword do you hear?
first: Which sound comes first? / What do you hear first? / Which sound is first? / What is heard first? / What is the first sound? / Which sound begins?
 / Name the first sound. / What comes first? / What can be heard at the beginning? / What does it start with? / Tell me the first sound. / What sound is at the start?
 | Which of the sounds comes first? / What am I hearing first? / With which sound does it begin? / Say what is heard first.
last: Which sound comes last? / What do you hear last? / Which sound is second? / What is heard at the end? / What is the last sound? / Which sound ends it?
 / Name the last sound. / What comes second? / What is the second sound? / Tell me the last sound. / What does it end with? / What sound is at the end?
 | Which of the sounds comes last? / What am I hearing at the end? / With which sound does it end? / Say what is heard last.
motion: What happens? / What happens in the clip? / What does the thing do? / How does it move? / What happens to it? / What is going on? / What changes?
 / How does the {thing} move? / What does the {thing} do? / What happens to the {thing}? / In what way does the clip change? / Tell me what happens. / What is the {thing} doing?
 | What takes place in the clip? / What becomes of the {thing}? / Describe the movement. / Say what the {thing} does. / What is it doing?
both: What is seen and what is heard? / Name what you see and what you hear. / What do you see, and what do you hear? / Which thing is seen and which sound is heard?
 / Tell me what is seen and heard. / What can be seen and what can be heard? / Name the thing and the sound. / What is shown, and what is heard?
 / What do you see and hear? / Which object do you see and what sound is there? / Say the thing and then the sound. / What is there to see and to hear?
 | What is visible and what is audible? / Identify what is seen and heard. / What are you seeing and hearing? / Name first the thing, then the sound.
both_digit: Which digit is spoken and what is seen? / Say the digit and name the object. / Name the spoken digit and the thing you see. / What number is said, and what is shown?
 / Which number do you hear and which thing do you see? / First the spoken digit, then the object, please. | What digit is heard and what is visible? / Give the spoken number and the thing seen.
fit: Does the sound fit the {m}? / Does the sound match the {m}? / Does the sound belong to the thing? / Do sound and {m} fit together? / Is this the sound of the thing you see?
 / Does the thing make this sound? / Does what you hear fit what you see? / Is the thing you see also what you hear? / Do you hear the thing that you see?
 / Does the sound come from the thing shown? / Do sight and sound match? / Does the {thing} make the sound that is heard?
 | Would the {thing} make this sound? / Do the sound and the {m} belong together? / Is the sound right for the {m}? / Does what is heard match what is seen?
fit_count: Are there as many things as the spoken number? / Does the spoken digit say how many there are? / Is the spoken number the number of things? / Does the number fit the count?
 / Do you see as many things as the voice says? / Is the spoken digit equal to the number of objects? | Does the voice give the right number of things? / Is the count the same as the spoken number?
caption: Describe the {m}. / Describe what you see. / Give a short description. / Describe this. / What does the {m} show, in one sentence? / Write a caption.
 / Caption this {m}. / Summarize the {m}. / Describe it in one sentence. / Tell me about the {m}. / Give a caption. / Please describe the {m}.
 | Write a short caption for the {m}. / How would you describe the {m}? / Describe the {m} briefly. / What would be a good caption?
caption_sound: Describe the recording. / Describe what you hear. / Give a short description. / Describe this. / Describe the sound in one sentence. / Write a caption.
 / Caption this recording. / Summarize the recording. / Tell me about the recording. / Please describe the sound.
 | Write a short caption for the recording. / How would you describe the recording? / Describe the recording briefly.
present: Is there {a} in the {m}? / Do you see {a}? / Is {a} in the {m}? / Can you see {a}? / Does the {m} show {a}? / Is there {a}? / Is {a} shown? / Is {a} to be seen?
 / Can {a} be seen here? / Do you find {a} here? / Is {a} visible? / Does {a} appear in the {m}?
 | Is {a} anywhere in the {m}? / Would you say there is {a} here? / Can you find {a}? / Do you notice {a}?
is_photo: Is this {a}? / Does the photo show {a}? / Do you see {a}? / Is it {a}? / Is {a} in the photo? / Does this show {a}? | Would you say this is {a}? / Is {a} what the photo shows?
is_colour: Is the {thing} {colour}? / Does the {thing} have the colour {colour}? / Is {colour} the colour of the {thing}? / Is the {thing} of {colour} colour?
 / Is it a {colour} {thing}? / Is the colour of the {thing} {colour}? | Would you call the {thing} {colour}? / Can one say that the {thing} is {colour}?
is_word: Does it say "{word}"? / Is the word "{word}" written here? / Does the text say "{word}"? / Can you read "{word}"? / Is "{word}" written in the {m}?
 | Does the writing read "{word}"? / Would you read this as "{word}"?
is_number: Is the number {word} written here? / Does it say {word}? / Is the number {word}? / Do you read the number {word}? / Is this the number {word}? / Is {word} written in the {m}?
 | Would you read this as {word}? / Is {word} the number here?
is_at: Is the {thing} {at}? / Do you see the {thing} {at}? / Is the {thing} {at} of the {m}? / Can the {thing} be seen {at}? / Does the {thing} lie {at}? / Is it true that the {thing} is {at}?
 | Would I find the {thing} {at}? / Has the {thing} been put {at}?
is_side: Is the {one} {side} the {two}? / Do you see the {one} {side} the {two}? / Does the {one} lie {side} the {two}? / Is it true that the {one} is {side} the {two}?
 | Would you say the {one} is {side} the {two}? / Has the {one} been put {side} the {two}?
is_size: Is the {one} {more} than the {two}? / Does the {one} look {more} than the {two}? / Is it true that the {one} is {more} than the {two}? / Is the {one} the {more} one, compared with the {two}? | Would you say the {one} is {more} than the {two}?
 / Has the {one} been drawn {more} than the {two}?
is_count: Are there exactly {number} {many}? / Do you see exactly {number} {many}? / Does the {m} show exactly {number} {many}? / Is the number of {many} {number}? | Can you count exactly {number} {many}? / Is {number} the number of {many}?
is_hand: Does the hand show {digit}? / Is this the hand sign for {digit}? / Does the hand sign mean {digit}? / Is the number {digit} signed here? | Do the fingers show {digit}? / Would you read this hand sign as {digit}?
is_xray: Does the x-ray show pneumonia? / Is there pneumonia in this x-ray? / Does this chest x-ray show pneumonia? / Do you see pneumonia? | Is pneumonia found here? / Would you say this x-ray shows pneumonia?
is_shade: Is this a {word} shade? / Is the shade {word}? / Does this swatch belong to the {word} shades? / Is this foundation {word}? | Would you class this shade as {word}? / Is {word} the right group for this shade?
is_group: Is there {a} in the {m}? / Do you see {a}? / Does the {m} show {a}? / Can you see any {thing}? / Is there any {thing} here? | Do you notice any {thing}? / Is any {thing} to be found here?
is_sound: Do you hear {heard}? / Is {heard} to be heard? / Can you hear {heard}? / Is there the sound of {heard}? / Is {heard} part of the sound? / Is that {heard}? / Is this the sound of {heard}?
 / Does it sound like {heard}? / Can {heard} be heard? / Is the sound {heard}? / Is {heard} heard? / Do I hear {heard}? | Would you say that is {heard}? / Could this be {heard}? / Is {heard} audible? / Do you notice {heard}?
is_digit: Is the digit {digit} spoken? / Do you hear the digit {digit}? / Does the voice say {digit}? / Is the number {digit} said? / Does anyone say {digit}? / Can you hear the number {digit}?
 | Is {digit} among the spoken numbers? / Would you say the voice says {digit}?
is_keyword: Does the voice say "{word}"? / Is the word "{word}" spoken? / Do you hear the word "{word}"? / Is "{word}" said? | Does anyone say "{word}"? / Can the word "{word}" be heard?
is_first: Is {heard} heard first? / Does {heard} come first? / Do you hear {heard} at the start? / Is the first sound {heard}? | Does it begin with {heard}? / Is {heard} the sound at the beginning?
is_motion: Does it {motion}? / Does the thing {motion}? / Does the {thing} {motion}? / Is it true that it will {motion}? | Would you say that it does {motion}? / Do you see the {thing} {motion}?
"""

CANNOT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
"""Medium → questions that it cannot answer, to train on and held out."""

_CANNOT_TEXT = """
any: What does it smell like? / What is the owner's name? / What happened before? / What will happen next year? / Who made this? / How old is the owner?
 / What does it taste like? / How much did it cost? / What is the price? / On which day was this made? / Where was this bought? / What is his name? / What is her name?
 / Who owns it? / What is the telephone number? / In which country was this? / How heavy is it? / What is the temperature? / Why was this made? / What is he thinking?
 | How much does it cost? / What does it smell of? / What was here yesterday? / Who is the owner? / What is the name of the person who made this? / When was this made? / What does she want? / How warm is it?
picture: What is being said? / What do you hear? / Which sound is heard? / Is it loud? / What does the voice say? / What sound does the recording have? / Which digit is spoken? / What can be heard?
 / What noise is there? / Who is speaking? / Which song is playing? | What am I hearing? / Is there any music? / What is the voice saying? / Which number is said?
recording: What colour is it? / What is in the picture? / What do you see? / Where is the thing in the picture? / How many things can be seen? / What does the picture show? / What is written there?
 / What colour is the background? / What is on the left? / Which word is written? / What does the speaker look like? / What is the speaker wearing?
 | What can be seen? / What is on the right? / Which colour does it have? / What clothes does the speaker wear? / How many things are visible?
"""


def _parse(text: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    out = {}
    for line in text.replace("\n ", " ").strip().splitlines():
        name, _, rest = line.partition(": ")
        train, _, held_out = rest.partition("|")
        out[name] = tuple(_split(train)), tuple(_split(held_out))
    return out


def _split(text: str) -> list[str]:
    return [phrase.strip() for phrase in text.split(" / ")]


PHRASINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = _parse(_TEXT)
"""Way of asking → (phrasings to train on, phrasings held out)."""
CANNOT.update(_parse(_CANNOT_TEXT))

LEADS = {
    "train": ("Please tell me: ", "Answer briefly. ", "Now: ", "A question: "),
    "val": ("I would like to know: ", "Quick question: "),
}
"""What sometimes comes before a question."""
