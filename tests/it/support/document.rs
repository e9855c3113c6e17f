//! A document in Markdown: its prose, its links, and the code in it.

use std::path::PathBuf;

/// A document, taken apart.
pub(crate) struct Document {
    /// From the repository's root.
    pub(crate) path: PathBuf,
    /// All but code.
    prose: String,
    /// Code within prose.
    pub(crate) spans: Vec<String>,
    blocks: Vec<Block>,
}

/// Lines of code, fenced or indented.
pub(crate) struct Block {
    /// What stands behind the fence; nothing where it is indented.
    pub(crate) info: String,
    pub(crate) text: String,
}

impl Document {
    /// Reads one by its path from the root; none if there is no such file.
    pub(crate) fn read(path: PathBuf) -> Option<Document> {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        let mut blocks: Vec<Block> = Vec::new();
        let mut prose = String::new();
        let mut fence: Option<&str> = None;
        let mut is_indented = false;
        for line in text.lines() {
            let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
            match fence {
                Some(open) if open.len() <= ticks.len() => fence = None,
                Some(_) => blocks.last_mut()?.push(line),
                None if 3 <= ticks.len() => {
                    blocks.push(Block::of(&line[ticks.len()..]));
                    fence = Some(ticks);
                }
                None => {
                    let code = line.strip_prefix("    ");
                    // Indented behind an empty line: a list's line goes on instead.
                    if let Some(code) = code.filter(|_| is_indented || prose.ends_with("\n\n")) {
                        if !is_indented {
                            blocks.push(Block::of(""));
                        }
                        is_indented = true;
                        blocks.last_mut()?.push(code);
                    } else {
                        is_indented = false;
                        prose.push_str(line);
                        prose.push('\n');
                    }
                }
            }
        }
        assert!(fence.is_none(), "{}: a fence has no end", path.display());
        let (prose, spans): (Vec<_>, Vec<_>) =
            prose.split('`').enumerate().partition(|(n, _)| n % 2 == 0);
        Some(Document {
            path,
            prose: prose.into_iter().map(|(_, text)| text).collect(),
            spans: spans.into_iter().map(|(_, code)| code.to_owned()).collect(),
            blocks,
        })
    }

    /// What its links and pictures lead to within the repository.
    pub(crate) fn links(&self) -> Vec<&str> {
        let targets = self.prose.split("](").skip(1);
        let targets = targets.map(|rest| rest.split(')').next().unwrap());
        targets.filter(|target| !target.contains("://")).collect()
    }

    /// Whether it has a heading that links call so, by GitHub's rule.
    pub(crate) fn has(&self, heading: &str) -> bool {
        let text = std::fs::read_to_string(root().join(&self.path)).unwrap();
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let mut names = headings.map(|line| {
            let line = line.trim_start_matches('#').trim().to_lowercase();
            let kept = line
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        });
        names.any(|name| name == heading)
    }

    /// Its blocks of a language.
    pub(crate) fn blocks_of(&self, language: &str) -> impl Iterator<Item = &Block> {
        let is_it = move |block: &&Block| block.info.split(' ').next() == Some(language);
        self.blocks.iter().filter(is_it)
    }

    /// All code, within prose or by itself.
    pub(crate) fn code(&self) -> Vec<&str> {
        let blocks = self.blocks.iter().map(|block| block.text.as_str());
        blocks
            .chain(self.spans.iter().map(String::as_str))
            .collect()
    }

    /// Flags that prose names, with what follows them.
    pub(crate) fn flags(&self) -> impl Iterator<Item = Vec<String>> {
        let spans = self.spans.iter().filter(|span| span.starts_with("--"));
        spans.map(|span| span.split_whitespace().map(str::to_owned).collect())
    }

    /// The arguments of each call of a program, up to the end of the line or what belongs to the shell.
    pub(crate) fn commands(&self, program: &str) -> impl Iterator<Item = Vec<String>> {
        let mut found = Vec::new();
        for code in self.code() {
            for line in code.replace("\\\n", " ").lines() {
                // `docker compose exec slackwater` names the service of a compose file, and what follows is another program.
                if line.starts_with("docker ") && !line.contains(" run ") {
                    continue;
                }
                let mut words = line.split_whitespace();
                while let Some(word) = words.next() {
                    if !word.contains('=') && word.rsplit('/').next() == Some(program) {
                        let is_ours = |word: &&str| !["#", ">", "|", "&&"].contains(word);
                        found.push(
                            words
                                .by_ref()
                                .take_while(is_ours)
                                .map(str::to_owned)
                                .collect(),
                        );
                    }
                }
            }
        }
        found.into_iter()
    }
}

impl Block {
    fn of(info: &str) -> Block {
        Block {
            info: info.to_owned(),
            text: String::new(),
        }
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
