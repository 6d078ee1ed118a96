//! What a dialect could not say: counted, with the first examples.

/// How the written text falls short of the image for one name. No loss blocks more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The name is not blocked by the text.
    Name,
    /// The names below it are not blocked by the text.
    Below,
    /// The exception lets more through than the image does.
    WiderException,
    /// The exception is missing; nothing of this list blocks the name.
    Exception,
    /// The name is too long to stand inside a zone.
    Length,
    /// AdGuard would let an exception above this block win.
    Order,
}

impl Loss {
    /// All losses, in the order they are reported.
    pub const ALL: [Loss; 6] =
        [Loss::Name, Loss::Below, Loss::WiderException, Loss::Exception, Loss::Length, Loss::Order];

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Loss::Name => "name-not-blocked",
            Loss::Below => "below-not-blocked",
            Loss::WiderException => "wider-exception",
            Loss::Exception => "exception-left-out",
            Loss::Length => "name-too-long",
            Loss::Order => "exception-wins",
        }
    }

    /// A sentence that begins with a number of names.
    pub const fn sentence(self) -> &'static str {
        match self {
            Loss::Name => "names are blocked by the image but not by this list",
            Loss::Below => "names are written without what is blocked below them",
            Loss::WiderException => "exceptions let through more than in the image",
            Loss::Exception => "exceptions are left out; this list blocks none of them",
            Loss::Length => "names are too long for a zone and left out",
            Loss::Order => "blocks lie inside an exception that AdGuard lets win",
        }
    }
}

/// Counts and first examples of each [`Loss`].
#[derive(Clone, Debug, Default)]
pub struct Unsaid {
    counts: [u64; Loss::ALL.len()],
    examples: [Vec<String>; Loss::ALL.len()],
}

impl Unsaid {
    /// How many examples of each are kept.
    pub const EXAMPLES: usize = 3;

    pub(super) fn note(&mut self, loss: Loss, name: &str) {
        self.counts[loss as usize] += 1;
        let examples = &mut self.examples[loss as usize];
        if examples.len() < Unsaid::EXAMPLES {
            examples.push(name.to_owned());
        }
    }

    /// The losses there were, with how often and the first names.
    pub fn iter(&self) -> impl Iterator<Item = (Loss, u64, &[String])> {
        Loss::ALL
            .into_iter()
            .map(|loss| (loss, self.counts[loss as usize], &*self.examples[loss as usize]))
            .filter(|&(_, count, _)| count > 0)
    }

    /// Whether the text says all the image means.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }
}
