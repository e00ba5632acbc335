//! Package groups, and `comps.xml` as dnf reads it: `dnf install @build` installs what a tag's group lists.

use crate::xml::{push_element, push_text};

/// How a package belongs to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageType {
    /// Always installed with the group.
    Mandatory,
    /// Installed unless told otherwise.
    Default,
    /// Installed only if asked for.
    Optional,
    /// Installed if another package is: see [`GroupPackage::requires`].
    Conditional,
}

impl PackageType {
    fn name(self) -> &'static str {
        match self {
            Self::Mandatory => "mandatory",
            Self::Default => "default",
            Self::Optional => "optional",
            Self::Conditional => "conditional",
        }
    }
}

/// One package of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPackage {
    /// Package name.
    pub name: String,
    /// How it belongs.
    pub kind: PackageType,
    /// For a conditional package: the package whose installation pulls it in.
    pub requires: Option<String>,
    /// Only of the base architecture, not of a compatible one.
    pub basearchonly: bool,
}

/// A group that this one requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRequirement {
    /// The other group's id.
    pub id: String,
    /// How it belongs. dnf takes only the id.
    pub kind: PackageType,
}

/// One group of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What follows the `@`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// A sentence.
    pub description: String,
    /// Installed by default.
    pub default: bool,
    /// Shown by default.
    pub uservisible: bool,
    /// Only where several architectures live together.
    pub biarchonly: bool,
    /// Only for this language.
    pub langonly: Option<String>,
    /// Its packages.
    pub packages: Vec<GroupPackage>,
    /// The groups it requires. dnf 4 does not follow them: a caller that wants their packages adds them to
    /// [`Group::packages`], which is what [`expand`] does.
    pub requirements: Vec<GroupRequirement>,
}

/// Adds to each group the packages of the groups it requires, however far, so that readers that do not follow
/// requirements install the same. A package listed twice keeps its first entry; a requirement of no known group is left.
pub fn expand(groups: &[Group]) -> Vec<Group> {
    groups.iter().map(|group| expand_one(group, groups)).collect()
}

fn expand_one(group: &Group, groups: &[Group]) -> Group {
    let mut expanded = group.clone();
    let mut visited = vec![group.id.as_str()];
    let mut pending: Vec<&str> = group.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    while let Some(id) = pending.pop() {
        if visited.contains(&id) {
            continue;
        }
        visited.push(id);
        let Some(required) = groups.iter().find(|group| group.id == id) else { continue };
        for package in &required.packages {
            if !expanded.packages.iter().any(|known| known.name == package.name) {
                expanded.packages.push(package.clone());
            }
        }
        pending.extend(required.requirements.iter().map(|requirement| requirement.id.as_str()));
    }
    expanded
}

/// Renders `comps.xml`.
pub fn render(groups: &[Group]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n<comps>\n",
    );
    for group in groups {
        push_group(&mut out, group);
    }
    out.push_str("</comps>\n");
    out
}

fn push_group(out: &mut String, group: &Group) {
    out.push_str("  <group>\n");
    push_element(out, 4, "id", &group.id);
    push_element(out, 4, "name", &group.name);
    push_element(out, 4, "description", &group.description);
    push_element(out, 4, "default", bool_name(group.default));
    push_element(out, 4, "uservisible", bool_name(group.uservisible));
    if group.biarchonly {
        push_element(out, 4, "biarchonly", "true");
    }
    if let Some(language) = &group.langonly {
        push_element(out, 4, "langonly", language);
    }
    if !group.requirements.is_empty() {
        out.push_str("    <grouplist>\n");
        for requirement in &group.requirements {
            out.push_str("      <groupreq type=\"");
            out.push_str(requirement.kind.name());
            out.push_str("\">");
            push_text(out, &requirement.id);
            out.push_str("</groupreq>\n");
        }
        out.push_str("    </grouplist>\n");
    }
    out.push_str("    <packagelist>\n");
    for package in &group.packages {
        push_package(out, package);
    }
    out.push_str("    </packagelist>\n  </group>\n");
}

fn push_package(out: &mut String, package: &GroupPackage) {
    out.push_str("      <packagereq");
    crate::xml::push_attribute_pair(out, "type", package.kind.name());
    if package.basearchonly {
        crate::xml::push_attribute_pair(out, "basearchonly", "true");
    }
    if let Some(requires) = &package.requires {
        crate::xml::push_attribute_pair(out, "requires", requires);
    }
    out.push('>');
    push_text(out, &package.name);
    out.push_str("</packagereq>\n");
}

fn bool_name(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, packages: &[&str], requires: &[&str]) -> Group {
        let package = |name: &&str| GroupPackage {
            name: (*name).to_owned(),
            kind: PackageType::Mandatory,
            requires: None,
            basearchonly: false,
        };
        let requirement = |id: &&str| GroupRequirement { id: (*id).to_owned(), kind: PackageType::Mandatory };
        Group {
            id: id.to_owned(),
            name: id.to_owned(),
            description: String::new(),
            default: true,
            uservisible: true,
            biarchonly: false,
            langonly: None,
            packages: packages.iter().map(package).collect(),
            requirements: requires.iter().map(requirement).collect(),
        }
    }

    #[test]
    fn required_groups_are_followed_around_circles_and_past_gaps() {
        let groups = [group("a", &["x"], &["b", "gone"]), group("b", &["y", "x"], &["c"]), group("c", &["z"], &["a"])];
        let names = |group: &Group| group.packages.iter().map(|package| package.name.clone()).collect::<Vec<_>>();
        let expanded = expand(&groups);
        assert_eq!(names(&expanded[0]), ["x", "y", "z"]);
        assert_eq!(names(&expanded[2]), ["z", "x", "y"]);
    }
}
