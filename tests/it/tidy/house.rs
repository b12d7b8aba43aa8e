//! The table in ARCHITECTURE.md: modules, what kind each is, and what it may import.

use std::collections::BTreeMap;

/// What a module may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No clock, no I/O, no threads, no async.
    Pure,
    /// Blocking compute: no sockets, no clock.
    Engine,
    /// The rest of the world.
    Shell,
}

/// The table, read.
#[derive(Debug)]
pub(super) struct House {
    modules: BTreeMap<String, Module>,
}

#[derive(Debug)]
struct Module {
    kind: Kind,
    /// `None`: anything.
    imports: Option<Vec<String>>,
}

/// Whether a file belongs to the binary, which may do anything.
pub(super) fn is_binary(path: &str) -> bool {
    path == "src/main.rs" || path.starts_with("src/cli/")
}

impl House {
    /// Reads the rows after the heading `module kind may import`.
    pub(super) fn read(architecture: &str) -> House {
        let rows = architecture
            .lines()
            .skip_while(|line| {
                line.split_whitespace().collect::<Vec<_>>() != ["module", "kind", "may", "import"]
            })
            .skip(1)
            .take_while(|line| !line.starts_with("```"));
        let mut modules = BTreeMap::new();
        for row in rows {
            let words: Vec<&str> = row.split_whitespace().collect();
            let [name, kind, imports @ ..] = words.as_slice() else {
                panic!("no row of the import table: {row:?}")
            };
            let kind = match *kind {
                "P" => Kind::Pure,
                "E" => Kind::Engine,
                "S" => Kind::Shell,
                other => panic!("no kind of module: {other:?} in {row:?}"),
            };
            let imports = match imports {
                ["anything"] => None,
                ["nothing"] => Some(Vec::new()),
                some => Some(some.iter().map(|s| (*s).to_owned()).collect()),
            };
            modules.insert((*name).to_owned(), Module { kind, imports });
        }
        assert!(modules.len() > 3, "ARCHITECTURE.md has no import table");
        let house = House { modules };
        house.check();
        house
    }

    /// The table itself keeps the design: engines and pure folders reach for nothing above them.
    fn check(&self) {
        for (name, module) in &self.modules {
            for import in module.imports.iter().flatten() {
                let kind = self
                    .kind_of(import)
                    .unwrap_or_else(|| panic!("{name} imports {import}, which has no row"));
                let allowed = match module.kind {
                    Kind::Pure => kind == Kind::Pure,
                    Kind::Engine => kind != Kind::Shell,
                    Kind::Shell => true,
                };
                assert!(allowed, "the table lets {name} ({:?}) import {import} ({kind:?})", module.kind);
            }
            assert!(
                module.imports.is_some() || module.kind == Kind::Shell,
                "{name} may not import anything it likes"
            );
        }
    }

    pub(super) fn kind_of(&self, module: &str) -> Option<Kind> {
        self.modules.get(module).map(|m| m.kind)
    }

    pub(super) fn may_import(&self, from: &str, to: &str) -> bool {
        if from == to || from.is_empty() {
            return true;
        }
        match self.modules.get(from) {
            Some(Module { imports: Some(imports), .. }) => imports.iter().any(|m| m == to),
            Some(Module { imports: None, .. }) => true,
            None => false,
        }
    }

    /// The row that a file stands under: `speech::asr` for `src/speech/asr/pool.rs`. Empty for the binary
    /// and the library's root.
    pub(super) fn unit_of_file(&self, path: &str) -> String {
        if is_binary(path) || path == "src/lib.rs" {
            return String::new();
        }
        self.unit(&module_path(path))
    }

    fn unit(&self, module: &[String]) -> String {
        match module {
            [top, below, ..] if self.modules.contains_key(&format!("{top}::{below}")) => {
                format!("{top}::{below}")
            }
            [top, ..] => top.clone(),
            [] => String::new(),
        }
    }

    /// Which row a path in `file` leads to: `None` where it stays within the file's own surroundings or
    /// leads out of the house, `Err` where no such module is known.
    pub(super) fn target(&self, file: &str, path: &[String]) -> Option<Result<String, String>> {
        if is_binary(file) {
            return None;
        }
        let supers = path.iter().take_while(|s| *s == "super").count();
        let from_root = match path.first().map(String::as_str) {
            Some("crate") => path.get(1..)?,
            // Enough `super`s to leave the top-level module; within a nested `mod` they may not leave it,
            // so only a name that the table has counts.
            Some("super") if supers >= module_path(file).len() => {
                path.get(supers..).filter(|p| p.first().is_some_and(|top| self.modules.contains_key(top)))?
            }
            _ => return None,
        };
        let top = from_root.first()?;
        if self.modules.contains_key(top) { Some(Ok(self.unit(from_root))) } else { Some(Err(top.clone())) }
    }
}

/// `src/speech/asr/mod.rs` is `[speech, asr]`.
fn module_path(file: &str) -> Vec<String> {
    let inner = file.strip_prefix("src/").unwrap_or(file);
    let inner = inner.strip_suffix("/mod.rs").or_else(|| inner.strip_suffix(".rs")).unwrap_or(inner);
    inner.split('/').map(str::to_owned).collect()
}
