//! What a caller asks of a session, and what of it a model can do.

use crate::error::Error;

/// What to write down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The words spoken, in their language.
    Transcribe,
    /// Their meaning in English.
    Translate,
}

/// The budget for text that will be revised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partials {
    /// None.
    None,
    /// Few.
    Economical,
    /// As many as there is time for.
    Eager,
}

/// A word or phrase to expect.
#[derive(Debug, Clone, PartialEq)]
pub struct VocabularyPhrase {
    /// As it is to be written.
    pub text: String,
    /// Added to the log-probability of its tokens.
    pub weight: f32,
}

/// How speech is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoiceActivity {
    /// The best the model file provides for.
    Automatic,
    /// By energy.
    Energy,
    /// By a network.
    Neural,
}

/// When a segment ends; lengths in samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpointing {
    /// How speech is found.
    pub voice_activity: VoiceActivity,
    /// Silence that ends a segment.
    pub minimum_silence: u32,
    /// Shorter speech is noise.
    pub minimum_speech: u32,
    /// A longer segment is cut.
    pub longest_segment: u32,
}

/// How a session transcribes, field by field as in the contract.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionOptions {
    /// BCP 47 tag.
    pub language: Option<String>,
    /// What to write down.
    pub task: Task,
    /// Whether words carry times.
    pub word_times: bool,
    /// How much may be spent on text that will be revised.
    pub partials: Partials,
    /// When segments end; `None` takes everything up to `finish` for one.
    pub endpointing: Option<Endpointing>,
    /// Phrases to expect.
    pub vocabulary: Vec<VocabularyPhrase>,
    /// Text that came before.
    pub context: Option<String>,
}

/// Silence that ends a segment, where nothing else is asked for: 512 ms. Pauses within a sentence are mostly shorter.
const MINIMUM_SILENCE_SAMPLES: u32 = 8_192;
/// Shorter speech is noise, where nothing else is asked for: 250 ms, as Silero VAD and whisper.cpp have it.
const MINIMUM_SPEECH_SAMPLES: u32 = 4_000;
/// The longest segment, where nothing else is asked for: 20 s. What it costs to transcribe grows with its square.
const LONGEST_SEGMENT_SAMPLES: u32 = 320_000;

/// A segment can be asked to be cut after a second, and not before: what is shorter holds no sentence.
pub const SHORTEST_LONGEST_SEGMENT_SAMPLES: usize = 16_000;

impl SessionOptions {
    /// What suits most, for a model that takes segments up to so many samples.
    #[must_use]
    pub fn suitable(longest_segment_samples: usize) -> Self {
        let longest = u32::try_from(longest_segment_samples).unwrap_or(u32::MAX);
        Self {
            language: None,
            task: Task::Transcribe,
            word_times: false,
            partials: Partials::Eager,
            endpointing: Some(Endpointing {
                voice_activity: VoiceActivity::Automatic,
                minimum_silence: MINIMUM_SILENCE_SAMPLES,
                minimum_speech: MINIMUM_SPEECH_SAMPLES,
                longest_segment: LONGEST_SEGMENT_SAMPLES.min(longest),
            }),
            vocabulary: Vec::new(),
            context: None,
        }
    }

    /// Checks them against a model that speaks `languages`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a value that is none, [`Error::UnsupportedOption`] for one the model cannot honour.
    pub fn check(&self, languages: &[String], longest_segment_samples: usize, has_neural: bool) -> Result<(), Error> {
        let invalid = |name, message: &str| Err(Error::InvalidOption { name, message: message.into() });
        let unsupported = |name, message: &str| Err(Error::UnsupportedOption { name, message: message.into() });
        if let Some(language) = &self.language {
            if !is_language_tag(language) {
                return invalid("language", "is not a BCP 47 tag such as `en` or `pt-BR`");
            }
            // `en-GB` is English too: the primary subtag decides.
            let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
            if !languages.iter().any(|known| primary(known) == primary(language)) {
                let message = format!("the model speaks {}, not `{language}`", languages.join(", "));
                return unsupported("language", &message);
            }
        }
        if let Some(endpointing) = &self.endpointing {
            if endpointing.minimum_silence == 0 {
                return invalid("endpointing.minimum-silence", "is 0, and must be at least 1 sample");
            }
            let longest = SHORTEST_LONGEST_SEGMENT_SAMPLES..=longest_segment_samples;
            if !longest.contains(&(endpointing.longest_segment as usize)) {
                let message = format!("must be {} to {} samples", longest.start(), longest.end());
                return invalid("endpointing.longest-segment", &message);
            }
            if endpointing.minimum_speech > endpointing.longest_segment {
                return invalid("endpointing.minimum-speech", "must be no more than the longest segment");
            }
            if endpointing.voice_activity == VoiceActivity::Neural && !has_neural {
                return unsupported("endpointing.voice-activity", "the model file has no network for it");
            }
        }
        if self.vocabulary.iter().any(|phrase| !phrase.weight.is_finite()) {
            return invalid("vocabulary", "has a weight that is not a finite number");
        }
        if !self.vocabulary.is_empty() {
            return unsupported("vocabulary", "the model cannot be told what words to expect");
        }
        if self.task == Task::Translate {
            return unsupported("task", "the model transcribes and does not translate");
        }
        if self.context.is_some() {
            return unsupported("context", "the model is not conditioned on earlier text");
        }
        Ok(())
    }
}

/// Whether `tag` has the shape of a BCP 47 tag: subtags of 1 to 8 letters and digits, the first of 2 to 8 letters.
fn is_language_tag(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let primary = subtags.next().unwrap_or_default();
    (2..=8).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags.all(|sub| (1..=8).contains(&sub.len()) && sub.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
