"""The ways to ask. Of every list, the phrasings after the bar are never trained on.

`{m}` is the medium's name, `{thing}` a name, `{a}` a name with its article, `{many}` the plural, `{at}` a place.
"""

from __future__ import annotations

_TEXT = """
what: What is this? / What do you see? / What is in the {m}? / What does the {m} show? / Name the object. / What can be seen here?
 / What is shown here? / Which object is this? / What thing is this? / Tell me what this is. / What am I looking at?
 / Name what you see. / What is it? / What is pictured? / Can you name this object? / What does this look like to you?
 / What object do you see? / Can you tell me what this is? / Say what you see. / Say what is shown here. / What is there to see? / Identify this.
 / Identify what is in the {m}. / Which thing do you see? / What is the object called? / Give the name of the object.
 / What is the name of this thing? / Could you name this? / What is visible in the {m}? / Tell me what is visible. / Which object is in the {m}?
 / What item is this? / What has been drawn here? / Do you know what this is? / What could this be? / Would you tell me what this is?
 / I want to know what this is. / Please name the object. / What is the thing in the {m}?
 | What object is in the {m}? / What is visible here? / Say what this is. / Could you tell me what is shown? / Identify the object.
what_at: What is {at}? / What do you see {at}? / What can be seen {at}? / Which object is {at}? / Name the thing {at}.
 / What is shown {at}? / What thing is {at}? / Tell me what is {at}. / Which thing is {at} of the {m}? / What is there {at}?
 / Name what is {at}. / Look {at}: what is there?
 / What object is {at}? / Say what you see {at}. / What lies {at}? / Which object lies {at}? / Identify what is {at}. / What is the object {at}?
 / What would you say is {at}? / Could you tell me what is {at}? / What is to be found {at}? / What do I find {at}? / Give the name of the thing {at}.
 / What has been put {at}? / I want to know what is {at}. / What is visible {at}? / What is the name of the thing {at}?
 | What object lies {at}? / Identify the thing {at}. / What would I find {at}? / Say what is {at}.
what_photo: What is this? / What is in the photo? / What does the photo show? / What do you see in this photo? / What is in the {m}?
 / Name what the photo shows. / What is shown here? / What kind of thing is this? / Which object is this? / What can be seen here?
 / What is pictured? / What does this {m} show? / What animal or thing is this? / What is it? / Tell me what is in the photo. / What am I looking at?
 / What object do you see in the photo? / Say what the photo shows. / What is the photo of? / Identify the object in the photo.
 / What was the photo taken of? / What is the main thing in the photo? / Which thing was photographed? / Could you tell me what this is?
 / What subject does the photo have? / Say what you see. / Identify this. / Give the name of what is shown. / What is visible in the photo?
 / What has been photographed? / Which animal or vehicle is this? / What object does the {m} show? / What could this be?
 | What is the subject of this photo? / What was photographed here? / Identify what the photo shows. / What object is in the {m}? / Say what this is.
what_clothing: What piece of clothing is this? / What kind of clothes are shown? / Which garment is this? / What is this garment called?
 / Name the piece of clothing. / What clothing do you see?
 / What garment is this? / Which clothes do you see? / Say which piece of clothing this is. / What item of clothing is shown? / Identify the garment.
 / What would one call this piece of clothing? / Which kind of clothing is this? / What is being worn here? / Tell me which garment this is.
 / Give the name of the garment.
 | What garment do you see? / Which item of clothing is this?
what_food: Which food is this? / What food product is this? / What kind of food is in the {m}? / Which grocery item is this?
 / What could I buy here? / Name the food.
 / What food is this? / Which food do you see? / What groceries do you see? / Say which food this is. / Identify the food.
 / Which product from the grocery is this? / What kind of groceries is this? / Tell me which food is shown. / What food item is in the {m}?
 / Give the name of the food.
 | What groceries are these? / Which food item do you see?
what_hand: Which number does the hand show? / What number is the hand showing? / Which digit does this hand sign mean?
 / What number is signed here? / How would you read this hand sign? / What does the hand sign say? / Which number do the fingers show?
 / Which digit is signed here? / What digit does the hand show? / What number is being shown by the hand? / Read the hand sign.
 / Say which number the hand shows. / Which digit do you see? / What do the fingers say? / Tell me the number of the hand sign.
 / Which number is the hand signing?
 | Which number is being signed? / Read the number from the hand. / What digit do you see on the hand?
what_xray: What does the x-ray show? / What is the finding of this x-ray? / What is found in this chest x-ray? / What does the chest picture show?
 / What do you find in this x-ray? / Name the finding.
 / Which finding does this x-ray show? / What would a report say about this x-ray? / Say what the x-ray shows.
 / Is there a finding in this x-ray, and which? / What does this chest x-ray tell? / Which finding do you see? / What can be found in the x-ray?
 | Which finding does the x-ray have? / What would the report on this x-ray say?
what_shade: How light or deep is this shade? / Which shade group is this foundation? / What shade is this swatch? / How deep is this makeup shade?
 / Which skin tone group does this swatch belong to? / What shade of foundation is this?
 / Say which shade this is. / Which group does this shade belong to? / How would this shade be classed? / What group of shades is this?
 / Is this shade light or deep? / Which shade do you see? / Tell me the shade of this foundation.
 | How would you class this shade? / Which group of shades is it?
colour: What colour is the {thing}? / What is the colour of the {thing}? / Which colour does the {thing} have? / In which colour is the {thing}?
 / Tell me the colour of the {thing}. / What color is the {thing}? / Which color is the {thing}? / Name the colour of the {thing}.
 / The {thing} has what colour? / How is the {thing} coloured? / What is the color of the {thing}? / Which colour do you see on the {thing}?
 / What color does the {thing} show? / The {thing} is of what colour? / Say which colour the {thing} has.
 / The {thing} has which color? / Give the colour of the {thing}. / Identify the colour of the {thing}. / Say what color the {thing} is.
 / Which colour has the {thing}? / In what color is the {thing} shown? / Could you tell me the colour of the {thing}? / What is the {thing}'s colour?
 / How would you call the colour of the {thing}? / I want to know the colour of the {thing}. / What colour would you say the {thing} is?
 / Of what colour is the {thing}?
 | What color does the {thing} have? / The {thing} is of which colour? / Say the colour of the {thing}. / What colour has the {thing}?
count: How many {many} are there? / How many {many} do you see? / How many {many} are in the {m}? / Count the {many}. / What is the number of {many}?
 / How many {many} can be seen? / How many {many} does the {m} show? / Tell me how many {many} there are. / How many {many} are shown?
 / How many {many} are visible? / What number of {many} is there? / Please count the {many}.
 / How many {many} can you see? / Give the count of {many}. / Say the number of {many}. / How many {many} are in it? / What is the count of {many}?
 / Could you count the {many}? / How many {many} have been drawn? / How many {many} would you count? / In the {m}, how many {many} are there?
 / How many {many} do you find? / Give me the number of {many}. / How often do you see one of the {many}? / I want to know how many {many} there are.
 / Say how many {many} you see. / How many {many} appear?
 | How many {many} can you count? / Give the number of {many}. / How many {many} appear in the {m}? / Say how many {many} there are.
where: Where is the {thing}? / Where do you see the {thing}? / Where in the {m} is the {thing}? / In which place is the {thing}?
 / Where can I find the {thing}? / Tell me where the {thing} is. / At which place is the {thing}? / Where has the {thing} been put?
 / In which part of the {m} is the {thing}? / Which part of the {m} holds the {thing}? / Where does the {thing} lie? / Where is the {thing} placed?
 / Say where you see the {thing}. / What place does the {thing} have? / Give the position of the {thing}. / In what position is the {thing}?
 / What is the place of the {thing}? / Where should one look to see the {thing}? / Where would you look for the {thing}?
 / Could you say where the {thing} is? / Whereabouts in the {m} is the {thing}? / Show me where the {thing} is. / Which position has the {thing}?
 / Where does one find the {thing}? / In the {m}, where is the {thing}? / Where is the {thing} to be found? / What is the location of the {thing}?
 / Locate the {thing}. / I want to know where the {thing} is. / Where was the {thing} put?
 | Where should I look for the {thing}? / What is the position of the {thing}? / Say where the {thing} is. / Whereabouts is the {thing}?
relation: What is {side} the {thing}? / Which thing is {side} the {thing}? / What do you see {side} the {thing}? / What is there {side} the {thing}?
 / Name the thing {side} the {thing}. / Which object is {side} the {thing}? / What can be seen {side} the {thing}? / Tell me what is {side} the {thing}.
 / What lies {side} the {thing}? / What is shown {side} the {thing}? / Name what is {side} the {thing}. / Look {side} the {thing}: what is it?
 / What has been drawn {side} the {thing}? / Say what you see {side} the {thing}. / Which of these is {side} the {thing}?
 / What object do you see {side} the {thing}? / Which thing has been put {side} the {thing}? / Identify the thing {side} the {thing}.
 / What was put {side} the {thing}? / Which object lies {side} the {thing}? / Could you name the thing {side} the {thing}?
 / What do you find {side} the {thing}? / I want to know what is {side} the {thing}. / What stands {side} the {thing}?
 / Say which thing is {side} the {thing}. / What is the object {side} the {thing}?
 | What object is {side} the {thing}? / What has been put {side} the {thing}? / Say what is {side} the {thing}. / Which of the things is {side} the {thing}?
size: Which is {more}, the {one} or the {two}? / What is {more}, the {one} or the {two}? / Is the {one} or the {two} {more}?
 / Which of them is {more}: the {one} or the {two}? / Which looks {more}, the {one} or the {two}? / Which one is {more} here, the {one} or the {two}?
 / Which of the {one} and the {two} is {more}? / Between the {one} and the {two}, which is {more}? / Say which is {more}, the {one} or the {two}.
 / The {one} or the {two}: which is {more}? / Which has been drawn {more}, the {one} or the {two}? / What looks {more}, the {one} or the {two}?
 / Of the two, which is {more}: the {one} or the {two}? / Would you say the {one} or the {two} is {more}?
 / Tell me which is {more}, the {one} or the {two}.
 | Of the {one} and the {two}, which is {more}? / Which is drawn {more}, the {one} or the {two}?
read: Which word is written here? / What is written in the {m}? / What does the text say? / Read the word. / What word do you see? / What does it say?
 / Which word can be read? / What text is in the {m}? / Read what is written. / What is written here? / What does the writing say? / Which word is it?
 / Tell me what is written. / Please read the text.
 / What can one read here? / Say what is written. / Which text is written here? / What text do you see? / Say which word it is. / What word is shown?
 / What word is this? / Which word does the {m} show? / What do you read? / What can be read in the {m}? / Identify the word. / Spell out the word.
 / Give the written word. / Which word do you read? / What text can you read? / What words do you see? / What is the text? / What word is in the {m}?
 | What can you read here? / Which text do you see? / Say which word is written. / What word does the {m} show?
read_number: Which number is written here? / What number is in the {m}? / What number do you see? / Read the number. / Which number can be read?
 / What is the number? / Which number is it? / Tell me the number.
 / Say which number it is. / What number can be read? / Which number do you read? / What number is shown? / Give the number. / What number is this?
 / Identify the number. / Which number does the {m} show? / Say what number you see. / What number is written?
 | What number can you read? / Say which number is written.
sound: What do you hear? / What is that sound? / What can be heard? / What sound is this? / What is heard? / Which sound is it? / Name the sound.
 / What makes this sound? / What is making the noise? / What is that noise? / Tell me what you hear. / What does the recording hold? / What is the sound?
 / Which sound can be heard?
 / What are we hearing? / Say what you hear. / Which sound am I hearing? / Identify what is heard. / What could this sound be?
 / What would make this sound? / Which sound is to be heard? / What is to be heard? / Say what makes the sound. / What is it that I hear?
 / Could you name the sound? / What is this a recording of? / What is the source of the sound? / What is audible here? / Which thing makes this sound?
 / Do you know this sound? / I want to know what can be heard. / Give the name of the sound. / What kind of sound is this?
 | What am I hearing? / Identify the sound. / What could make this sound? / Say what can be heard. / What are you hearing?
sounds: Which two sounds do you hear? / What are the two sounds? / Which sounds can be heard? / Name both sounds. / What do you hear? / What can be heard?
 / Tell me both sounds. / Which sounds are there?
 / Which two things can be heard? / What two sounds are there? / Say which two sounds you hear. / Identify the two sounds. / What are both sounds?
 / Which two sounds are heard? / What are we hearing? / Give the names of both sounds. / Which things do you hear? / What two sounds can you hear?
 / What are you hearing, which two sounds?
 | What two things can be heard? / Identify both sounds. / Which sounds are you hearing?
digit: Which digit is spoken? / Which digit do you hear? / What number is said? / Which number is spoken? / What digit does the voice say? / Which number do you hear?
 / What number does the speaker say? / Tell me the digit that is spoken. / Which digit is said? / Name the spoken digit. / What is the spoken number? / What number is it?
 / What does the voice say?
 / Which digit is heard? / Say which digit you hear. / What digit is spoken? / What digit do you hear? / What number can be heard?
 / Which digit is the voice saying? / Which number is being said? / What number is the voice saying? / Identify the digit. / Give the spoken digit.
 / Could you say which number it is? / Which digit does the speaker name? / What number does the voice name? / Say the number that is spoken.
 | Which digit can be heard? / Say which number is spoken. / What digit is being said? / Which number does the voice name?
digits: Which digits are spoken? / Which digits do you hear? / What numbers are said? / Name the spoken digits in order. / Which numbers do you hear?
 / What digits does the voice say? / Tell me the digits in order. / Write down the spoken digits. / Which numbers are spoken? / What does the voice say?
 / Which numbers can be heard? / Say which digits are spoken, in order. / List the spoken digits. / List the numbers that are said.
 / What digits are heard? / What digits do you hear, in order? / Give the digits in order. / Which digits are being said? / What numbers are spoken?
 / Say the digits you hear. / Which numbers is the voice saying?
 | Which digits can be heard, in order? / Say which numbers are spoken. / What digits are being said? / List the digits you hear.
keyword: Which word is spoken? / Which word do you hear? / What does the voice say? / What is said? / What word is said? / Which word does the speaker say?
 / Tell me the spoken word. / What does the person say? / Name the word that is spoken. / What is the spoken word? / What word can be heard? / Which keyword is spoken?
 / Say which word is spoken. / What word do you hear? / Which word is the voice saying? / What word is spoken? / Which word can be heard?
 / Identify the spoken word. / What word is being said? / Give the spoken word. / Which word does the voice say?
 / Say the word that you hear. / What keyword is spoken?
 | Which word is being said? / Say which word you hear. / What word does the voice say? / Which keyword do you hear?
first: Which sound comes first? / What do you hear first? / Which sound is first? / What is heard first? / What is the first sound? / Which sound begins?
 / Name the first sound. / What comes first? / What can be heard at the beginning? / What does it start with? / Tell me the first sound. / What sound is at the start?
 / Which sound do you hear first? / What am I hearing at the start? / Say which sound comes first. / Of the sounds, which comes first?
 / With what does it begin? / With what sound does it start? / Which sound is at the beginning? / What sound comes first?
 / Which of them is heard first? / What opens the recording? / Identify the first sound. / Say what comes first. / Which one of the sounds is first?
 / Which is the earlier sound? / What is heard at the start?
 | Which of the sounds comes first? / What am I hearing first? / With which sound does it begin? / Say what is heard first.
last: Which sound comes last? / What do you hear last? / Which sound is second? / What is heard at the end? / What is the last sound? / Which sound ends it?
 / Name the last sound. / What comes second? / What is the second sound? / Tell me the last sound. / What does it end with? / What sound is at the end?
 / Which sound do you hear last? / What am I hearing last? / Say which sound comes last. / Of the sounds, which comes last? / With what does it end?
 / What sound comes last? / Which sound is at the end? / Which of them is heard last? / What closes the recording? / Identify the last sound.
 / Say what comes last. / Which one of the sounds is last? / Which is the later sound? / Say what is heard at the end. / With what sound does it stop?
 | Which of the sounds comes last? / What am I hearing at the end? / With which sound does it end? / Say what is heard last.
motion: What happens? / What happens in the clip? / What does the thing do? / How does it move? / What happens to it? / What is going on? / What changes?
 / How does the {thing} move? / What does the {thing} do? / What happens to the {thing}? / In what way does the clip change? / Tell me what happens. / What is the {thing} doing?
 / What takes place? / What takes place here? / What does it do? / What is it that happens? / Describe what happens. / Describe how the {thing} moves.
 / Describe the motion. / What movement do you see? / What is the movement of the {thing}? / Say what happens. / Say what it does.
 / Say what happens to the {thing}. / What becomes of it? / What is happening? / What is the {thing} doing here? / In which way does the {thing} move?
 / How does the thing move? / What does the {thing} do in the clip? / What kind of movement is it? / Which movement does the {thing} make?
 / What do you see happening? / What change do you see? / How does the {thing} change? / Could you say what happens? / What goes on in the clip?
 / Tell me what the {thing} does. / What has the {thing} done? / Give the movement of the {thing}.
 | What takes place in the clip? / What becomes of the {thing}? / Describe the movement. / Say what the {thing} does. / What is it doing?
both: What is seen and what is heard? / Name what you see and what you hear. / What do you see, and what do you hear? / Which thing is seen and which sound is heard?
 / Tell me what is seen and heard. / What can be seen and what can be heard? / Name the thing and the sound. / What is shown, and what is heard?
 / What do you see and hear? / Which object do you see and what sound is there? / Say the thing and then the sound. / What is there to see and to hear?
 / Say what you see and what you hear. / What are you seeing, and what are you hearing?
 / Identify the thing and the sound. / Name first what is seen, then what is heard. / What is in the picture and what is in the recording?
 / Which object is visible and which sound is audible? / Give the thing and the sound. / First the thing, then the sound, please.
 / Which thing is shown and what can be heard? / Say what is seen and what is heard. / What is shown and which sound is it?
 | What is visible and what is audible? / Identify what is seen and heard. / What are you seeing and hearing? / Name first the thing, then the sound.
both_digit: Which digit is spoken and what is seen? / Say the digit and name the object. / Name the spoken digit and the thing you see. / What number is said, and what is shown?
 / Which number do you hear and which thing do you see? / First the spoken digit, then the object, please.
 / What digit is spoken, and what is seen? / What digit do you hear and what do you see? / Give the digit and the object.
 / Which digit is heard and which thing is visible? / Say the spoken number and the thing seen. / What number is heard, and which object is shown?
 / Name first the spoken number, then the thing.
 | What digit is heard and what is visible? / Give the spoken number and the thing seen.
fit: Does the sound fit the {m}? / Does the sound match the {m}? / Does the sound belong to the thing? / Do sound and {m} fit together? / Is this the sound of the thing you see?
 / Does the thing make this sound? / Does what you hear fit what you see? / Is the thing you see also what you hear? / Do you hear the thing that you see?
 / Does the sound come from the thing shown? / Do sight and sound match? / Does the {thing} make the sound that is heard?
 / Is the sound right for the thing? / Is the sound that of the thing? / Does the sound suit the {m}?
 / Does what is seen match what is heard? / Do they belong together, the sound and the {m}? / Would what you see make this sound?
 / Do the {m} and the sound match? / Is it the {thing} that is heard? / Could the {thing} make this sound? / Is this sound made by the {thing}?
 / Does the sound go with the {m}? / Do you hear what you see?
 | Would the {thing} make this sound? / Do the sound and the {m} belong together? / Is the sound right for the {m}? / Does what is heard match what is seen?
fit_count: Are there as many things as the spoken number? / Does the spoken digit say how many there are? / Is the spoken number the number of things? / Does the number fit the count?
 / Do you see as many things as the voice says? / Is the spoken digit equal to the number of objects?
 / Does the voice say the right number of things? / Is the number of things the spoken number? / Does the voice give the count?
 / Is the spoken number right for the {m}? / Does the spoken number match the number of things? / Are there as many things as the voice says?
 / Do the count and the spoken number agree?
 | Does the voice give the right number of things? / Is the count the same as the spoken number?
caption: Describe the {m}. / Describe what you see. / Give a short description. / Describe this. / What does the {m} show, in one sentence? / Write a caption.
 / Caption this {m}. / Summarize the {m}. / Describe it in one sentence. / Tell me about the {m}. / Give a caption. / Please describe the {m}.
 | Write a short caption for the {m}. / How would you describe the {m}? / Describe the {m} briefly. / What would be a good caption?
caption_sound: Describe the recording. / Describe what you hear. / Give a short description. / Describe this. / Describe the sound in one sentence. / Write a caption.
 / Caption this recording. / Summarize the recording. / Tell me about the recording. / Please describe the sound.
 | Write a short caption for the recording. / How would you describe the recording? / Describe the recording briefly.
present: Is there {a} in the {m}? / Do you see {a}? / Is {a} in the {m}? / Can you see {a}? / Does the {m} show {a}? / Is there {a}? / Is {a} shown? / Is {a} to be seen?
 / Can {a} be seen here? / Do you find {a} here? / Is {a} visible? / Does {a} appear in the {m}?
 / Is {a} here? / Would you say {a} is in the {m}? / Is there {a} anywhere? / Can you spot {a}? / Do you notice {a} in the {m}?
 / Could you find {a} here? / Is {a} anywhere to be seen? / Is {a} one of the things in the {m}? / Are you able to see {a}?
 / Would you find {a} in the {m}? / Is it true that there is {a} here? / Does one see {a}?
 | Is {a} anywhere in the {m}? / Would you say there is {a} here? / Can you find {a}? / Do you notice {a}?
is_photo: Is this {a}? / Does the photo show {a}? / Do you see {a}? / Is it {a}? / Is {a} in the photo? / Does this show {a}?
 / Would you call this {a}? / Is {a} shown here? / Is {a} what you see? / Would you say that {a} is shown? / Could this be {a}?
 / Is {a} the subject of the photo? / Is it true that this is {a}?
 | Would you say this is {a}? / Is {a} what the photo shows?
is_colour: Is the {thing} {colour}? / Does the {thing} have the colour {colour}? / Is {colour} the colour of the {thing}? / Is the {thing} of {colour} colour?
 / Is it a {colour} {thing}? / Is the colour of the {thing} {colour}?
 / Would you say the {thing} is {colour}? / Is {colour} what you would call the {thing}? / Can the {thing} be called {colour}?
 / Is it true that the {thing} is {colour}? / Does the {thing} look {colour}? / Could one call the {thing} {colour}?
 / Has the {thing} the colour {colour}?
 | Would you call the {thing} {colour}? / Can one say that the {thing} is {colour}?
is_word: Does it say "{word}"? / Is the word "{word}" written here? / Does the text say "{word}"? / Can you read "{word}"? / Is "{word}" written in the {m}?
 / Would you read "{word}" here? / Does the word read "{word}"? / Is "{word}" what is written? / Is it true that it says "{word}"?
 / Would you say the text is "{word}"? / Does the {m} say "{word}"?
 | Does the writing read "{word}"? / Would you read this as "{word}"?
is_number: Is the number {word} written here? / Does it say {word}? / Is the number {word}? / Do you read the number {word}? / Is this the number {word}? / Is {word} written in the {m}?
 / Is {word} the number that is written? / Would you say it is the number {word}? / Is {word} what you read? / Does the {m} show the number {word}?
 | Would you read this as {word}? / Is {word} the number here?
is_at: Is the {thing} {at}? / Do you see the {thing} {at}? / Is the {thing} {at} of the {m}? / Can the {thing} be seen {at}? / Does the {thing} lie {at}? / Is it true that the {thing} is {at}?
 / Would you find the {thing} {at}? / Has the {thing} its place {at}? / Was the {thing} put {at}? / Would you say the {thing} is {at}?
 / Do I find the {thing} {at}? / Is {at} where the {thing} is?
 | Would I find the {thing} {at}? / Has the {thing} been put {at}?
is_side: Is the {one} {side} the {two}? / Do you see the {one} {side} the {two}? / Does the {one} lie {side} the {two}? / Is it true that the {one} is {side} the {two}?
 / Would you say that the {one} is {side} the {two}? / Was the {one} put {side} the {two}? / Is the {one} to be found {side} the {two}?
 / Has the {one} its place {side} the {two}? / Would I find the {one} {side} the {two}?
 | Would you say the {one} is {side} the {two}? / Has the {one} been put {side} the {two}?
is_size: Is the {one} {more} than the {two}? / Does the {one} look {more} than the {two}? / Is it true that the {one} is {more} than the {two}? / Is the {one} the {more} one, compared with the {two}?
 / Would you call the {one} {more} than the {two}? / Was the {one} drawn {more} than the {two}? / Has the {one} a {more} look than the {two}?
 / Do you see that the {one} is {more} than the {two}?
 | Would you say the {one} is {more} than the {two}?
 / Has the {one} been drawn {more} than the {two}?
is_count: Are there exactly {number} {many}? / Do you see exactly {number} {many}? / Does the {m} show exactly {number} {many}? / Is the number of {many} {number}?
 / Is {number} the count of {many}? / Would you count exactly {number} {many}? / Is it true that there are exactly {number} {many}?
 / Can exactly {number} {many} be seen? / Are there {number} {many}, no more and no less?
 | Can you count exactly {number} {many}? / Is {number} the number of {many}?
is_hand: Does the hand show {digit}? / Is this the hand sign for {digit}? / Does the hand sign mean {digit}? / Is the number {digit} signed here?
 / Do the fingers mean {digit}? / Would you say the hand shows {digit}? / Is {digit} what the hand shows? / Can this hand sign be read as {digit}?
 | Do the fingers show {digit}? / Would you read this hand sign as {digit}?
is_xray: Does the x-ray show pneumonia? / Is there pneumonia in this x-ray? / Does this chest x-ray show pneumonia? / Do you see pneumonia?
 / Would you say there is pneumonia? / Is pneumonia to be seen here? / Is pneumonia the finding? / Does one find pneumonia here?
 | Is pneumonia found here? / Would you say this x-ray shows pneumonia?
is_shade: Is this a {word} shade? / Is the shade {word}? / Does this swatch belong to the {word} shades? / Is this foundation {word}?
 / Would you call this shade {word}? / Is {word} the group of this shade? / Can this shade be classed as {word}? / Is this one of the {word} shades?
 | Would you class this shade as {word}? / Is {word} the right group for this shade?
is_group: Is there {a} in the {m}? / Do you see {a}? / Does the {m} show {a}? / Can you see any {thing}? / Is there any {thing} here?
 / Is any {thing} to be seen? / Is there some {thing} here? / Would you find any {thing} here?
 / Can any {thing} be found in the {m}?
 | Do you notice any {thing}? / Is any {thing} to be found here?
is_sound: Do you hear {heard}? / Is {heard} to be heard? / Can you hear {heard}? / Is there the sound of {heard}? / Is {heard} part of the sound? / Is that {heard}? / Is this the sound of {heard}?
 / Does it sound like {heard}? / Can {heard} be heard? / Is the sound {heard}? / Is {heard} heard? / Do I hear {heard}?
 / Would you say you hear {heard}? / Could that be {heard}? / Is {heard} to be noticed? / Do you notice the sound of {heard}?
 / Would you say this is the sound of {heard}? / Is {heard} what you hear? / Is {heard} audible here? / Is it {heard} that one hears?
 / Is it true that {heard} is heard?
 | Would you say that is {heard}? / Could this be {heard}? / Is {heard} audible? / Do you notice {heard}?
is_digit: Is the digit {digit} spoken? / Do you hear the digit {digit}? / Does the voice say {digit}? / Is the number {digit} said? / Does anyone say {digit}? / Can you hear the number {digit}?
 / Would you say {digit} is spoken? / Is {digit} one of the spoken numbers? / Is {digit} what the voice says? / Is {digit} heard?
 | Is {digit} among the spoken numbers? / Would you say the voice says {digit}?
is_keyword: Does the voice say "{word}"? / Is the word "{word}" spoken? / Do you hear the word "{word}"? / Is "{word}" said?
 / Would you say the word is "{word}"? / Does one hear the word "{word}"? / Is "{word}" the word that is said? / Does someone say "{word}"?
 / Is "{word}" heard?
 | Does anyone say "{word}"? / Can the word "{word}" be heard?
is_first: Is {heard} heard first? / Does {heard} come first? / Do you hear {heard} at the start? / Is the first sound {heard}?
 / Is {heard} at the start? / Is {heard} the first that is heard? / Does {heard} begin it? / Does the recording begin with {heard}?
 / Would you say {heard} comes first?
 | Does it begin with {heard}? / Is {heard} the sound at the beginning?
is_motion: Does it {motion}? / Does the thing {motion}? / Does the {thing} {motion}? / Is it true that it will {motion}?
 / Would you say it does {motion}? / Do you see it {motion}? / Is it so that the {thing} will {motion}? / Can the {thing} be seen to {motion}?
 / Does one see it {motion}?
 | Would you say that it does {motion}? / Do you see the {thing} {motion}?
"""

CANNOT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
"""Medium → questions that it cannot answer, to train on and held out."""

_CANNOT_TEXT = """
any: What does it smell like? / What is the owner's name? / What happened before? / What will happen next year? / Who made this? / How old is the owner?
 / What does it taste like? / How much did it cost? / What is the price? / On which day was this made? / Where was this bought? / What is his name? / What is her name?
 / Who owns it? / What is the telephone number? / In which country was this? / How heavy is it? / What is the temperature? / Why was this made? / What is he thinking?
 / What does it cost? / What is the smell of it? / When was this bought? / Who is in charge here? / What did the owner do yesterday?
 / Who was here before? / What is the maker's name? / What does she think? / What does he want? / How cold is it? / What is the owner called?
 / When did this happen? / What was here before? / Who painted this? / Which year was this? / What will happen next? / What is it worth?
 / How much does it weigh? / Where does the owner live? / What is the address? / What is the name of the owner? / How long did it take to make?
 | How much does it cost? / What does it smell of? / What was here yesterday? / Who is the owner? / What is the name of the person who made this? / When was this made? / What does she want? / How warm is it?
picture: What is being said? / What do you hear? / Which sound is heard? / Is it loud? / What does the voice say? / What sound does the recording have? / Which digit is spoken? / What can be heard?
 / What noise is there? / Who is speaking? / Which song is playing?
 / Is music playing? / Which voice is heard? / What number is said? / What is the noise like? / Who can be heard? / Is there a sound?
 / What is the speaker saying? / Which word is said? / How loud is it? / What music is this?
 / Where was this taken? / Who took this picture? / When was this photo taken? / In which city was this taken? / In what place was the photo made?
 / Which camera was used? / At what time of day was this taken?
 | What am I hearing? / Is there any music? / What is the voice saying? / Which number is said? / Where was the picture taken?
 / Who took this photo? / When was this taken?
recording: What colour is it? / What is in the picture? / What do you see? / Where is the thing in the picture? / How many things can be seen? / What does the picture show? / What is written there?
 / What colour is the background? / What is on the left? / Which word is written? / What does the speaker look like? / What is the speaker wearing?
 / What is visible? / What can one see? / Which colour is it? / What is on top? / Which colour has the thing? / How does the place look?
 / What is in front? / What does the voice's owner wear? / How many things do you see? / Is it bright? / What is shown?
 / What is the speaker's hair like?
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
    "train": (
        "Please tell me: ",
        "Answer briefly. ",
        "Now: ",
        "A question: ",
        "Tell me: ",
        "I wonder: ",
        "Please answer: ",
        "Hello! ",
        "In short: ",
        "I want to know: ",
    ),
    "val": ("I would like to know: ", "Quick question: "),
}
"""What sometimes comes before a question."""
