use std::sync::Arc;
use std::time::Duration;

use gcp_auth::TokenProvider;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::batch_get_documents_response::Result as Got;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::firestore_client::FirestoreClient;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::precondition::ConditionType;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::run_query_request::{ConsistencySelector, QueryType};
use googleapis_tonic_google_firestore_v1::google::firestore::v1::structured_query::{
    CollectionSelector, FieldFilter, FieldReference, Filter, Projection, field_filter::Operator, filter::FilterType,
};
use googleapis_tonic_google_firestore_v1::google::firestore::v1::transaction_options::{Mode, ReadWrite};
use googleapis_tonic_google_firestore_v1::google::firestore::v1::write::Operation;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    BatchGetDocumentsRequest, BatchWriteRequest, CommitRequest, Document, DocumentMask, Precondition, RunQueryRequest,
    StructuredQuery, TransactionOptions, Value, Write,
};
use prost_types::Timestamp;
use session_core::internals::Backoff;
use session_core::{RecordKey, StoreError};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

/// The store's name in errors and logs.
pub(super) const NAME: &str = "firestore";

/// Firestore's limit of writes in a batch.
pub(super) const MAX_BATCH: usize = 500;

/// How often a call is repeated that Firestore has aborted in favour of another client.
const REPETITIONS: usize = 6;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(320));

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/datastore"];

/// The documents of one collection, each under a key.
#[derive(Clone)]
pub(super) struct Documents {
    client: FirestoreClient<Channel>,
    /// `None` for the emulator, which needs none.
    credentials: Option<Arc<dyn TokenProvider>>,
    /// `projects/PROJECT/databases/DATABASE`.
    pub(super) database: Arc<str>,
    pub(super) collection: Arc<str>,
}

/// The outcome of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Committed {
    /// All writes are done. The time at which the last document was written; `None` if it was deleted.
    Done(Option<UpdateTime>),
    /// A document that was to be created exists.
    Exists,
    /// A document has changed or was deleted since it was read.
    Changed,
}

/// Why a call has failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// In favour of another client that uses the same documents. Nothing was written.
    Aborted(Status),
    Other(StoreError),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Aborted => Failure::Aborted(status),
            _ => Failure::Other(failed(status)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Other(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Aborted(status) => failed(status),
            Failure::Other(error) => error,
        }
    }
}

/// When Firestore last wrote a document. A write can require that it is unchanged.
pub(super) type UpdateTime = Timestamp;

/// Selects the documents whose field compares to the value in this way.
#[derive(Clone)]
pub(super) struct Condition(pub(super) &'static str, pub(super) Operator, pub(super) Value);

impl Documents {
    pub(super) async fn of_google(database: String, collection: &str) -> Result<Self, StoreError> {
        let credentials = gcp_auth::provider().await.map_err(|error| StoreError::refused(NAME, error))?;
        let endpoint = Endpoint::from_static("https://firestore.googleapis.com")
            .tls_config(ClientTlsConfig::new().with_native_roots())
            .map_err(|error| StoreError::refused(NAME, error))?;
        Ok(Documents::new(endpoint, Some(credentials), database, collection))
    }

    pub(super) fn of_emulator(endpoint: Endpoint, database: String, collection: &str) -> Self {
        Documents::new(endpoint, None, database, collection)
    }

    fn new(
        endpoint: Endpoint,
        credentials: Option<Arc<dyn TokenProvider>>,
        database: String,
        collection: &str,
    ) -> Self {
        // All calls share one connection. If the network drops it silently, each call would wait until its time
        // limit. A ping finds out earlier.
        let endpoint = endpoint
            .connect_timeout(Duration::from_secs(3))
            .http2_keep_alive_interval(Duration::from_secs(5))
            .keep_alive_timeout(Duration::from_secs(3));
        Documents {
            client: FirestoreClient::new(endpoint.connect_lazy()),
            credentials,
            database: database.into(),
            collection: collection.into(),
        }
    }

    /// Those of another collection of the same database.
    pub(super) fn of_collection(&self, collection: &str) -> Self {
        Documents { collection: collection.into(), ..self.clone() }
    }

    pub(super) async fn get(&self, key: &RecordKey) -> Result<Option<Document>, StoreError> {
        let request = BatchGetDocumentsRequest {
            database: self.database.to_string(),
            documents: vec![self.name_of(key)],
            ..BatchGetDocumentsRequest::default()
        };
        // Not `GetDocument`, because its "not found" can also mean that the database does not exist.
        let answer = self.client.clone().batch_get_documents(self.request(request).await?).await;
        let mut answers = answer.map_err(failed)?.into_inner();
        while let Some(answer) = answers.message().await.map_err(failed)? {
            match answer.result {
                Some(Got::Found(document)) => return Ok(Some(document)),
                Some(Got::Missing(_)) => return Ok(None),
                None => {}
            }
        }
        Err(StoreError::unavailable(NAME, "the answer ended without telling whether the document exists"))
    }

    /// Does all of the writes or none.
    pub(super) async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        unless_aborted(|| self.try_to_commit(writes.clone(), Vec::new())).await
    }

    /// Does all of the writes or none. With a transaction, only if nothing that it has read has changed.
    pub(super) async fn try_to_commit(&self, writes: Vec<Write>, transaction: Vec<u8>) -> Result<Committed, Failure> {
        let request = CommitRequest { database: self.database.to_string(), writes, transaction };
        match self.client.clone().commit(self.request(request).await?).await {
            Ok(answer) => {
                let last = answer.into_inner().write_results.pop();
                Ok(Committed::Done(last.and_then(|written| written.update_time)))
            }
            Err(status) => match status.code() {
                Code::AlreadyExists => Ok(Committed::Exists),
                Code::FailedPrecondition | Code::NotFound => Ok(Committed::Changed),
                _ => Err(status.into()),
            },
        }
    }

    /// Does each write whose precondition holds, at most [`MAX_BATCH`], and returns which ones were done.
    pub(super) async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<bool>, StoreError> {
        let request = BatchWriteRequest { database: self.database.to_string(), writes, ..BatchWriteRequest::default() };
        let answer = self.client.clone().batch_write(self.request(request).await?).await;
        let statuses = answer.map_err(failed)?.into_inner().status.into_iter();
        let is_done = statuses.map(|status| match Code::from(status.code) {
            Code::Ok => Ok(true),
            // In favour of another client that writes the same document.
            Code::FailedPrecondition | Code::NotFound | Code::Aborted => Ok(false),
            code => Err(failed(Status::new(code, status.message))),
        });
        is_done.collect()
    }

    /// At most `limit` documents that meet the condition. With `fields` they have only these.
    pub(super) async fn query(
        &self,
        condition: Condition,
        limit: usize,
        fields: Option<&[&str]>,
    ) -> Result<Vec<Document>, StoreError> {
        let answer = self.run(self.query_of(condition, limit, fields)).await;
        answer.map(|(documents, _)| documents).map_err(StoreError::from)
    }

    /// All documents that meet the condition at one moment.
    ///
    /// That holds for each query of Firestore. A query of the emulator may see one half of a commit: neither the document
    /// that it deletes nor the one that it creates. Only under locks it does not.
    pub(super) async fn query_at_one_moment(&self, condition: Condition) -> Result<Vec<Document>, StoreError> {
        if self.credentials.is_some() {
            return self.query(condition, usize::MAX, None).await;
        }
        unless_aborted(async || {
            let (documents, transaction) = self.query_and_lock(condition.clone(), usize::MAX, None).await?;
            let _unlocked = self.try_to_commit(Vec::new(), transaction).await?;
            Ok(documents)
        })
        .await
    }

    /// Begins a transaction with a query. Until it is committed, no other client adds, changes or deletes a document that
    /// meets the condition; or the commit is aborted. Firestore ends a transaction that is not committed after 60 s.
    pub(super) async fn query_and_lock(
        &self,
        condition: Condition,
        limit: usize,
        fields: Option<&[&str]>,
    ) -> Result<(Vec<Document>, Vec<u8>), Failure> {
        let begin = TransactionOptions { mode: Some(Mode::ReadWrite(ReadWrite::default())) };
        let mut request = self.query_of(condition, limit, fields);
        request.consistency_selector = Some(ConsistencySelector::NewTransaction(begin));
        self.run(request).await
    }

    fn query_of(
        &self,
        Condition(field, operator, value): Condition,
        limit: usize,
        fields: Option<&[&str]>,
    ) -> RunQueryRequest {
        let filter = FieldFilter { field: Some(field_named(field)), op: operator.into(), value: Some(value) };
        let query = StructuredQuery {
            select: fields.map(projection),
            from: vec![CollectionSelector { collection_id: self.collection.to_string(), all_descendants: false }],
            r#where: Some(Filter { filter_type: Some(FilterType::FieldFilter(filter)) }),
            limit: Some(i32::try_from(limit).unwrap_or(i32::MAX)),
            ..StructuredQuery::default()
        };
        RunQueryRequest {
            parent: format!("{}/documents", self.database),
            query_type: Some(QueryType::StructuredQuery(query)),
            ..RunQueryRequest::default()
        }
    }

    /// The documents that a query finds, and the transaction that it has begun.
    async fn run(&self, query: RunQueryRequest) -> Result<(Vec<Document>, Vec<u8>), Failure> {
        let mut answers = self.client.clone().run_query(self.request(query).await?).await?.into_inner();
        let (mut documents, mut transaction) = (Vec::new(), Vec::new());
        while let Some(answer) = answers.message().await? {
            documents.extend(answer.document);
            if !answer.transaction.is_empty() {
                transaction = answer.transaction;
            }
        }
        Ok((documents, transaction))
    }

    /// The full name of a key's document. The key is base64url text, which is never a name that Firestore reserves.
    pub(super) fn name_of(&self, key: &RecordKey) -> String {
        format!("{}/documents/{}/{key}", self.database, self.collection)
    }

    async fn request<T>(&self, message: T) -> Result<Request<T>, StoreError> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        // Google's servers route the request by this header.
        metadata.insert("google-cloud-resource-prefix", header(&self.database)?);
        if let Some(credentials) = &self.credentials {
            let token = credentials.token(SCOPES).await.map_err(|error| StoreError::unavailable(NAME, error))?;
            let mut bearer = header(&format!("Bearer {}", token.as_str()))?;
            bearer.set_sensitive(true);
            metadata.insert("authorization", bearer);
        } else {
            // The emulator treats this token as an administrator, whom no security rules restrict.
            metadata.insert("authorization", MetadataValue::from_static("Bearer owner"));
        }
        Ok(request)
    }
}

/// Repeats what Firestore has aborted in favour of another client.
pub(super) async fn unless_aborted<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pauses = BACKOFF.pauses().take(REPETITIONS);
    loop {
        match (attempt().await, pauses.next()) {
            (Err(Failure::Aborted(_)), Some(pause)) => tokio::time::sleep(pause).await,
            (done, _) => return done.map_err(StoreError::from),
        }
    }
}

/// The emulator at `HOST:PORT`.
pub(super) fn emulator(host: &str) -> Result<Endpoint, StoreError> {
    Endpoint::from_shared(format!("http://{host}")).map_err(|error| StoreError::refused(NAME, error))
}

/// Creates a document. Fails if it exists.
pub(super) fn insert(document: Document) -> Write {
    write(Operation::Update(document), Some(ConditionType::Exists(false)))
}

/// Replaces a document. Fails if it has changed since it was read.
pub(super) fn replace(document: Document, read: UpdateTime) -> Write {
    write(Operation::Update(document), Some(ConditionType::UpdateTime(read)))
}

/// Replaces only the given fields of a document. Fails if it has changed since it was read.
pub(super) fn replace_fields(document: Document, read: UpdateTime) -> Write {
    let field_paths = document.fields.keys().cloned().collect();
    Write { update_mask: Some(DocumentMask { field_paths }), ..replace(document, read) }
}

/// Deletes a document. Fails if it has changed since it was read.
pub(super) fn delete_unchanged(name: String, read: UpdateTime) -> Write {
    write(Operation::Delete(name), Some(ConditionType::UpdateTime(read)))
}

/// Deletes a document. Fails if it does not exist.
pub(super) fn delete(name: String) -> Write {
    write(Operation::Delete(name), Some(ConditionType::Exists(true)))
}

/// Creates a document, or replaces the one that is there.
pub(super) fn put(document: Document) -> Write {
    write(Operation::Update(document), None)
}

fn write(operation: Operation, condition: Option<ConditionType>) -> Write {
    let current_document = condition.map(|condition| Precondition { condition_type: Some(condition) });
    Write { operation: Some(operation), current_document, ..Write::default() }
}

fn projection(fields: &[&str]) -> Projection {
    // Without any, Firestore would return all of them.
    let fields = if fields.is_empty() { &["__name__"] } else { fields };
    Projection { fields: fields.iter().map(|name| field_named(name)).collect() }
}

fn field_named(name: &str) -> FieldReference {
    FieldReference { field_path: name.to_owned() }
}

fn header(text: &str) -> Result<MetadataValue<Ascii>, StoreError> {
    text.parse().map_err(|error: tonic::metadata::errors::InvalidMetadataValue| StoreError::refused(NAME, error))
}

fn failed(status: Status) -> StoreError {
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => StoreError::refused(NAME, status),
        _ => StoreError::unavailable(NAME, status),
    }
}
