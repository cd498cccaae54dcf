//! `object_store`, as DataFusion, Polars and many others reach Blob storage.

use futures::{StreamExt, TryStreamExt};
use object_store::{
    Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    azure::{MicrosoftAzure, MicrosoftAzureBuilder},
    path::Path,
};

use crate::{Outcome, Site, Tally, demand};

const MEBIBYTE: usize = 1 << 20;

pub async fn all(site: &Site, tally: &mut Tally) {
    let store = match open(site) {
        Ok(store) => store,
        Err(error) => return tally.case("the store opens", Err(error)),
    };
    tally.case("twenty mebibytes come back as they went", whole(&store).await);
    tally.case("parts make the same blob", parts(&store).await);
    tally.case("ranges are exact", ranges(&store).await);
    tally.case("creating does not overwrite", creates(&store).await);
    tally.case("names keep their letters and are listed", names(&store).await);
    tally.case("a copy is the same and a move leaves nothing", copies(&store).await);
    tally.case("many are deleted at once, and what is not there is no error", deletes(&store).await);
}

/// Everything else comes from the environment, as in any program that uses the crate.
fn open(site: &Site) -> Result<MicrosoftAzure, Box<dyn std::error::Error>> {
    Ok(MicrosoftAzureBuilder::from_env()
        .with_account(&site["account_name"])
        .with_endpoint(site["account"].clone())
        .with_container_name("shared")
        .build()?)
}

fn content() -> Vec<u8> {
    let mut state = 20_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..20 * MEBIBYTE).map(|_| next()).collect()
}

async fn whole(store: &MicrosoftAzure) -> Outcome {
    let (at, content) = (Path::from("big"), content());
    store.put(&at, PutPayload::from(content.clone())).await?;
    demand(store.head(&at).await?.size == content.len() as u64, "another size")?;
    demand(store.get(&at).await?.bytes().await? == content, "other bytes came back")
}

async fn parts(store: &MicrosoftAzure) -> Outcome {
    let (at, content) = (Path::from("parts"), content());
    let mut upload = store.put_multipart(&at).await?;
    for part in content.chunks(6 * MEBIBYTE) {
        upload.put_part(PutPayload::from(part.to_vec())).await?;
    }
    upload.complete().await?;
    demand(store.get(&at).await?.bytes().await? == content, "other bytes came back")
}

async fn ranges(store: &MicrosoftAzure) -> Outcome {
    let content = content();
    for range in [0..1, 65_535..65_537, (content.len() - 3)..content.len()] {
        let found = store.get_range(&Path::from("big"), range.start as u64..range.end as u64).await?;
        demand(found == content[range.clone()], format!("{range:?}"))?;
    }
    Ok(())
}

async fn creates(store: &MicrosoftAzure) -> Outcome {
    let at = Path::from("once");
    store.put(&at, "first".into()).await?;
    match store.put_opts(&at, "second".into(), PutMode::Create.into()).await {
        Err(Error::AlreadyExists { .. }) => {}
        other => return Err(format!("AlreadyExists was due: {other:?}").into()),
    }
    demand(store.get(&at).await?.bytes().await? == "first", "it was overwritten")
}

async fn copies(store: &MicrosoftAzure) -> Outcome {
    let (from, to, moved) = (Path::from("copies/from"), Path::from("copies/to"), Path::from("copies/moved"));
    store.put(&from, "the same".into()).await?;
    store.copy(&from, &to).await?;
    demand(store.get(&to).await?.bytes().await? == "the same", "the copy is another")?;
    store.rename(&to, &moved).await?;
    demand(matches!(store.head(&to).await, Err(Error::NotFound { .. })), "the old name is still there")?;
    demand(store.get(&moved).await?.bytes().await? == "the same", "what was moved is another")
}

/// One batch of the wire for all of them.
async fn deletes(store: &MicrosoftAzure) -> Outcome {
    let names: Vec<Path> = (0..20).map(|n| Path::from(format!("doomed/{n} ü"))).collect();
    for name in &names {
        store.put(name, "x".into()).await?;
    }
    let asked = futures::stream::iter(names.clone().into_iter().map(Ok)).boxed();
    let gone: Vec<Path> = store.delete_stream(asked).try_collect().await?;
    demand(gone.len() == names.len(), format!("{} of {} were deleted", gone.len(), names.len()))?;
    let left: Vec<_> = store.list(Some(&Path::from("doomed"))).try_collect().await?;
    demand(left.is_empty(), format!("{} are left", left.len()))
}

async fn names(store: &MicrosoftAzure) -> Outcome {
    let mut wanted = Vec::new();
    for name in ["odd/Grüße & more/100% #1?.txt", "odd/a b+c", "odd/日本/語.txt"] {
        let at = Path::parse(name)?;
        store.put(&at, name.to_owned().into()).await?;
        demand(store.get(&at).await?.bytes().await? == name, name)?;
        wanted.push(at);
    }
    let mut found: Vec<Path> =
        store.list(Some(&Path::from("odd"))).map_ok(|meta| meta.location).try_collect().await?;
    found.sort();
    wanted.sort();
    demand(found == wanted, format!("{found:?} instead of {wanted:?}"))?;
    let below = store.list_with_delimiter(Some(&Path::from("odd"))).await?;
    demand(below.objects.len() == 1 && below.common_prefixes.len() == 2, format!("{below:?}"))
}
