//! From a configuration to an image: reads the lists it names, unites and compiles them. `build`
//! puts what comes out into a file, `serve` without an image asks it at once.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Context;
use filter_core::ListInfo;
use filter_core::compile::{BlockShape, Compiler, Image};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cache::{Cache, ReadList};
use crate::config::{Config, ListSource};
use crate::merge::{Counters, merge};
use crate::output::{Output, hinted};
use crate::report::AbsentList;

/// The image of the lists that travel in the binary, made to be asked fast. `cache` is where lists
/// that were read are kept, see [`Cache::open`].
///
/// # Errors
/// When the cache cannot be used.
pub fn built_in(cache: Option<&Path>, output: &Output) -> anyhow::Result<Vec<u8>> {
    fast(Config::built_in()?, cache, output)
}

/// The same of another configuration.
///
/// # Errors
/// When a list or the cache is at fault.
pub fn fast(mut config: Config, cache: Option<&Path>, output: &Output) -> anyhow::Result<Vec<u8>> {
    leave_out_absent(&mut config.lists)?;
    let lists = read_lists(&Cache::open(cache)?, &config.lists, output)?;
    let compiler = Compiler::new(1).with_shape(BlockShape::SERVER).with_prefilter(&[]);
    let (image, _) = compile(compiler, &config, &lists, output)?;
    Ok(image.octets)
}

/// Compiles lists that were read, with the categories, words and names never to block of their
/// configuration; also gives what became of the entries of each.
///
/// # Errors
/// When lists contradict each other where they must not, or do not fit into an image.
pub fn compile(
    mut compiler: Compiler,
    config: &Config,
    lists: &[ReadList],
    output: &Output,
) -> anyhow::Result<(Image, Vec<Counters>)> {
    announce(&mut compiler, config, lists)?;
    let names = lists.iter().map(|list| list.map.len()).sum();
    let bar = progress_bar(output, "merging", Some(names));
    let counters = merge(lists, &config.never_block, &mut compiler, &|names| bar.inc(names))?;
    bar.set_message("packing");
    let image = compiler.finish().context("cannot compile the image")?;
    bar.finish_and_clear();
    Ok((image, counters))
}

/// Tells the compiler everything but the rules.
fn announce(compiler: &mut Compiler, config: &Config, lists: &[ReadList]) -> anyhow::Result<()> {
    for category in config.categories.iter() {
        compiler.category(category.bit, &category.id)?;
    }
    for list in lists {
        let source = &list.source;
        let info = ListInfo {
            title: &source.title,
            license: &source.license,
            source: &source.url,
            entry_count: u32::try_from(list.map.len()).unwrap_or(u32::MAX),
            expires_days: source.expires_days,
            ..ListInfo::new(&source.id, source.categories)
        };
        compiler.list(info).with_context(|| format!("list `{}`", source.id))?;
    }
    for name in config.never_block.iter() {
        compiler.never_block(&name.name, name.scope)?;
    }
    if !config.keywords.is_empty() {
        compiler.keywords(config.keywords.compile()?);
    }
    for site in &config.sites {
        let hosts = site.hosts.as_ref().map(|(strict, moderate)| (strict, moderate));
        let lead = compiler.rewrite(&site.name, site.kind, hosts);
        lead.with_context(|| format!("safe search of {}", site.name))?;
    }
    if let Some(policy) = &config.policy {
        compiler.policy(policy.finish()?);
    }
    Ok(())
}

/// Takes the optional lists out whose files are not there.
///
/// # Errors
/// When no list is left.
pub fn leave_out_absent(lists: &mut Vec<ListSource>) -> anyhow::Result<Vec<AbsentList>> {
    let is_absent = |list: &mut ListSource| list.optional && !list.place.exists();
    let absent: Vec<AbsentList> = lists
        .extract_if(.., is_absent)
        .map(|list| AbsentList { id: list.id, path: list.place.to_string(), url: list.url })
        .collect();
    if lists.is_empty() {
        let error = "there is no list to build from";
        return Err(hinted(error, "name one in the manifest, or with --list CATEGORY=PATH"));
    }
    Ok(absent)
}

/// Reads the lists, several at a time; the order stays.
///
/// # Errors
/// When one cannot be read.
pub fn read_lists(
    cache: &Cache,
    sources: &[ListSource],
    output: &Output,
) -> anyhow::Result<Vec<ReadList>> {
    let bar = progress_bar(output, "reading lists", None);
    let next = AtomicUsize::new(0);
    let read = Mutex::new(Vec::with_capacity(sources.len()));
    let worker = || {
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(source) = sources.get(index)
        {
            let list = cache.read(source, &|entries| bar.inc(entries));
            let mut read = read.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            read.push((index, list));
        }
    };
    // Every worker may hold a run in memory, so there are not many.
    let workers = thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(worker))));
    bar.finish_and_clear();
    let mut read = read.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    read.sort_by_key(|(index, _)| *index);
    read.into_iter().map(|(_, list)| list).collect()
}

/// A bar on standard error, hidden where nobody looks, that shows up only when the work is
/// long enough to report progress.
fn progress_bar(output: &Output, message: &'static str, length: Option<u64>) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => "{msg} [{bar:30}] {human_pos}/{human_len} names",
        None => "{msg} {spinner} {human_pos} names",
    };
    let style = ProgressStyle::with_template(template).map(|style| style.progress_chars("=> "));
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(message)
}
