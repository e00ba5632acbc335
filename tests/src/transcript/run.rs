//! Running a transcript.

use std::{env, fs, path::PathBuf};

use tokio::process::Command;

use super::{
    Part, Step, Transcript,
    expected::{Words, agree, line_agrees},
};
use crate::said::Said;

/// Where and with what the commands of transcripts are run.
#[derive(Clone, Debug)]
pub struct Runner {
    /// A new folder for each transcript is made in this one; it is the commands' home, too.
    pub dir: PathBuf,
    /// Where they are looked for first.
    pub path: PathBuf,
    /// Words that are known from the beginning.
    pub words: Vec<(String, String)>,
}

/// A command that was run.
#[derive(Debug)]
pub struct Ran {
    /// The command.
    pub command: String,
    /// Its exit code.
    pub code: i32,
    /// The story, when it did not do as expected.
    pub complaint: Option<String>,
}

impl Runner {
    /// Runs a transcript to its end, whatever its commands say.
    ///
    /// # Panics
    /// When a command shows a traceback, or does not end.
    pub async fn run(&self, transcript: &mut Transcript) -> Vec<Ran> {
        let folder = self.dir.join(&transcript.name);
        fs::create_dir(&folder).expect("a new folder");
        let mut words: Words = self.words.iter().cloned().collect();
        let mut ran = Vec::new();
        for part in &mut transcript.parts {
            let Part::Step(step) = part else { continue };
            let mut command = Command::new("bash");
            command.args(["-u", "-o", "pipefail", "-c", &step.command]).current_dir(&folder).env("HOME", &folder);
            let path = env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", self.path.display()));
            command.envs(&words).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env("COLUMNS", "100");
            let said = Said::by(&mut command).await;
            let code = said.code.unwrap_or(-1);
            let (found, all_well) = step.compare(&said, &words);
            words = found;
            let complaint = (!all_well).then(|| format!("{}.md:{}\n{}", transcript.name, step.line, step.story(&said)));
            if complaint.is_some() {
                step.rewrite(&said, &words, &self.words);
            }
            ran.push(Ran { command: step.command.clone(), code, complaint });
        }
        ran
    }
}

impl Transcript {
    /// The transcript with what was really said in the place of what was not as expected.
    pub fn rewritten(&self) -> String {
        self.text()
    }
}

/// Lines without the empty ones at the end.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().collect()
}

impl Step {
    fn compare(&self, said: &Said, words: &Words) -> (Words, bool) {
        let out = agree(&self.out, &lines(&said.out), words);
        let well = out.is_some() && said.code == Some(self.code);
        let words = out.unwrap_or_else(|| words.clone());
        match agree(&self.err, &lines(&said.err), &words) {
            Some(words) => (words, well),
            None => (words, false),
        }
    }

    fn story(&self, said: &Said) -> String {
        let mut expected = String::new();
        self.write(&mut expected);
        let mut got = String::new();
        self.saying(said).write(&mut got);
        format!("expected\n{expected}got\n{got}")
    }

    /// The same command, with what it has said.
    fn saying(&self, said: &Said) -> Self {
        let owned = |text: &str| lines(text).into_iter().map(str::to_owned).collect();
        Self { out: owned(&said.out), err: owned(&said.err), code: said.code.unwrap_or(-1), ..self.clone() }
    }

    /// Takes what was said for what is expected; of the old lines those remain that say the same.
    fn rewrite(&mut self, said: &Said, words: &Words, known: &[(String, String)]) {
        let old = std::mem::take(self);
        *self = old.saying(said);
        for (lines, old) in [(&mut self.out, &old.out), (&mut self.err, &old.err)] {
            for line in lines {
                let same = old.iter().find(|old| old.trim() != "..." && line_agrees(old, line, words).is_some());
                *line = match same {
                    Some(same) => same.clone(),
                    None => {
                        known.iter().fold(line.clone(), |line, (name, word)| line.replace(word, &format!("{{{name}}}")))
                    }
                };
            }
        }
    }
}
