// Written by `python -m jupyter_ws_hub.typescript` from the Python structs. Do not edit.
/* eslint-disable */

export const HUB_SUBPROTOCOL = 'v1.hub.jupyter-ws-hub';
export const TERMINAL_SUBPROTOCOL = 'v1.terminal.jupyter-ws-hub';
export const FILE_STREAM_SUBPROTOCOL = 'v1.file-stream.jupyter-ws-hub';
export const INBOUND_FRAME_BYTES = 1048576;
export const CHUNK_HEADER_BYTES = 16;
export const CHUNK_DATA = 0;
export const MAX_CHUNK_FRAME_BYTES = 65536;
export const INBOUND_CHUNK_FRAME_BYTES = 1048576;
export const MAX_CHUNK_PAYLOAD_BYTES = 65520;
export const BLOCK_BYTES = 4194304;
export const WINDOW_BYTES = 4194304;
export const MAX_WINDOW_BYTES = 33554432;
export const TREE_FILE_BYTES = 1048576;
export const ENTRIES_AHEAD = 1024;
export const STREAM_PING_MS = 20000;
export const TERMINAL_WINDOW_BYTES = 262144;
export const TERMINAL_MAX_DATA_BYTES = 65536;
export const TERMINAL_DATA = 0;
export const TERMINAL_WELCOME = 1;
export const TERMINAL_ACK = 2;
export const TERMINAL_INPUT_ACK = 3;
export const TERMINAL_SIZE = 4;
export const TERMINAL_PING = 5;
export const TERMINAL_PONG = 6;
export const TERMINAL_REPLAY = 7;
export const TERMINAL_GAP = 8;
export const TERMINAL_EXIT = 9;
export const TERMINAL_BYE = 10;
export const TERMINAL_ERROR = 11;

/** The code table: what can go wrong, its close code, and whether trying again can help. */
export const CODES = {
  shutting_down: { number: 4000, retryable: true, meaning: "the server is stopping or restarting" },
  slow_consumer: { number: 4001, retryable: true, meaning: "the peer reads too slowly to be kept connected" },
  heartbeat_timeout: { number: 4002, retryable: true, meaning: "nothing was heard from the peer for too long" },
  hello_timeout: { number: 4003, retryable: true, meaning: "the first message did not come in time" },
  rate_limited: { number: 4004, retryable: true, meaning: "too many messages; wait retry_after_ms" },
  unavailable: { number: 4005, retryable: true, meaning: "the service cannot answer now" },
  internal: { number: 4006, retryable: true, meaning: "the server failed; its log has the reason" },
  timeout: { number: 4007, retryable: true, meaning: "the request was not answered in time" },
  busy: { number: 4008, retryable: true, meaning: "too much is under way for this session" },
  no_space: { number: 4009, retryable: true, meaning: "no space is left where the data should go" },
  bad_frame: { number: 4500, retryable: false, meaning: "the frame does not follow the protocol" },
  unauthenticated: { number: 4501, retryable: false, meaning: "the user is not, or no longer, logged in" },
  forbidden: { number: 4502, retryable: false, meaning: "the user may not do this" },
  not_found: { number: 4503, retryable: false, meaning: "there is no such thing, or it is gone" },
  superseded: { number: 4504, retryable: false, meaning: "a newer connection took this one's place" },
  too_big: { number: 4505, retryable: false, meaning: "the message is larger than the limit" },
  version_unsupported: { number: 4506, retryable: false, meaning: "no common version of the protocol" },
  unknown_type: { number: 4507, retryable: false, meaning: "no message type has this name" },
  unknown_method: { number: 4508, retryable: false, meaning: "no service has this method" },
  unknown_topic: { number: 4509, retryable: false, meaning: "no service has this topic" },
  invalid: { number: 4510, retryable: false, meaning: "a field is missing or has a wrong value" },
  cancelled: { number: 4511, retryable: false, meaning: "the request was cancelled" },
  unknown_outcome: { number: 4512, retryable: false, meaning: "the request may have run; its outcome is not known" },
  exists: { number: 4513, retryable: false, meaning: "something with this name exists already" },
  conflict: { number: 4514, retryable: false, meaning: "it changed meanwhile; the request did not expect that" },
  wrong_offset: { number: 4515, retryable: false, meaning: "the data does not continue where it must" },
  digest_mismatch: { number: 4516, retryable: false, meaning: "the data that arrived is not the data that was sent" },
  source_changed: { number: 4517, retryable: false, meaning: "the file changed while it was read" },
  unsupported: { number: 4518, retryable: false, meaning: "this server cannot do that" },
  paused: { number: 4519, retryable: false, meaning: "it was paused on purpose; it goes on when it is resumed" },
} as const;
export type CodeName = keyof typeof CODES;

/**
 * What the client has consumed: frames of this connection, and requests whose outcome it has.
 *
 * Frames and not bytes: the sender knows how large each was, and a browser sees texts, not their bytes.
 */
export type Ack = {
  type: 'ack';
  frames?: number;
  done?: number;
  also?: Array<number>;
};

/**
 * A button of a notification: opens a path of the server, or an address (http, https) in a new tab, or runs a
 * command of JupyterLab that its user has allowed for this.
 */
export type Action = {
  label: string;
  kind: 'command' | 'path' | 'url';
  target: string;
};

/** What makes a message an assistant's answer. */
export type Answer = {
  state: 'done' | 'failed' | 'stopped' | 'writing';
  to: string;
  asked_by: string;
  model: string;
  reason: string;
  error: string;
  retry_after_ms: number | null;
  usage: TokenUsage | null;
};

/** Close a room for writing, or open it again. */
export type ArchiveParams = {
  room: string;
  archived?: boolean;
};

/** Have a message that is there answered. `id` is the client's own random id of the answer. */
export type AskParams = {
  room: string;
  message: string;
  id: string;
  ask: Asked;
};

/** Which assistant is to answer, and with which model; "": its first one. */
export type Asked = {
  assistant: string;
  model?: string;
};

/** An assistant, as people choose it. */
export type AssistantInfo = {
  name: string;
  display_name: string;
  description: string;
  models: Array<string>;
  local: boolean;
  state: 'down' | 'ok' | 'starting';
  reason: string;
};

/** The assistants, the default one first; where there is none, `hint` says in two lines how to get one. */
export type Assistants = {
  assistants: Array<AssistantInfo>;
  hint: Array<string>;
};

/**
 * What belongs to a message: a file, a notebook, a cell of one with its output, or a piece of text.
 *
 * Only the reference stands in the message; what it refers to is read with the asker's permission when an assistant
 * is asked. A selection brings its text along.
 */
export type Attachment = {
  kind: 'cell' | 'file' | 'notebook' | 'selection';
  path: string;
  cell: string;
  text: string;
  language: string;
};

/** Who wrote a message: the authenticated user of the request, always; or an assistant, by its reserved name. */
export type Author = {
  username: string;
  display_name: string;
  assistant: boolean;
};

/** The end on purpose. From the client: free the session. From the server: why, and when to come back. */
export type Bye = {
  type: 'bye';
  code: number;
  reason: string;
  retry_after_ms: number | null;
};

/** Stop a request that is under way; it is still answered, with `cancelled` or with its result. */
export type Cancel = {
  type: 'cancel';
  ref: number;
};

/**
 * A message in a room, as it is now.
 *
 * `seq` is its place in the room, 1, 2, 3 …; `version` rises with each change of it, so of two states the one with
 * the higher version is the newer one.
 */
export type ChatMessage = {
  id: string;
  room: string;
  author: Author;
  text: string;
  time: number;
  seq: number;
  version: number;
  edited: number | null;
  edited_by: string;
  deleted: boolean;
  reply_to: string;
  mentions: Array<string>;
  attachments: Array<Attachment>;
  answer: Answer | null;
};

/** Names, relative to a directory, that an upload would make; at most 1,000. */
export type CheckParams = {
  path: string;
  names: Array<string>;
};

/** Which of the names exist, in their order. */
export type Checked = {
  existing: Array<Occupied>;
};

/** A saved state of a file, to which it can be restored. */
export type Checkpoint = {
  id: string;
  last_modified: string;
};

/** A checkpoint of a file. */
export type CheckpointParams = {
  path: string;
  id: string;
};

/** Who speaks: the client program's name and version, for logs and status. */
export type ClientInfo = {
  name?: string;
  version?: string;
};

/** Open connections of this server, by kind; `users` are on /ws. */
export type ConnectionTotals = {
  id: string;
  main: number;
  terminals: number;
  file_streams: number;
  users: number;
  gone: boolean;
};

/** Make something empty at a path. */
export type CreateParams = {
  path: string;
  type?: 'directory' | 'file' | 'notebook';
};

/** A new room; of a private one the maker is a member. */
export type CreateRoomParams = {
  name: string;
  title?: string;
  private?: boolean;
  members?: Array<string>;
};

/**
 * A transfer to make.
 *
 * An upload needs its `size` in bytes (of a tree: what it will be in all, as far as is known, with `entries`), and
 * `path` is where the file goes, or the directory into which the tree goes. `expect` is the etag that an upload's
 * target, or a download's source, must have; `absent`: there must be no target.
 */
export type CreateTransfer = {
  direction: 'download' | 'upload';
  path: string;
  kind?: 'file' | 'tree' | 'zip';
  size?: number | null;
  entries?: number;
  mtime_ms?: number | null;
  if_exists?: 'fail' | 'overwrite' | 'rename' | 'skip';
  expect?: string | null;
  digest?: 'sha256' | 'xxh3-128';
};

/** The sender of data may go up to this byte offset (exclusive). Never falls. */
export type Credit = {
  type: 'credit';
  limit: number;
};

/**
 * What has changed in a directory that is watched: new or changed entries, and names that are gone.
 *
 * `reset`: too much has changed to be told, or the directory itself has; list it again. `gone`: it is there no
 * longer; if it comes back, that is a `reset`. Names that nobody has seen may be told to be gone.
 */
export type DirectoryChanged = {
  path: string;
  entries: Array<Entry>;
  removed: Array<string>;
  reset: boolean;
  gone: boolean;
};

/**
 * A user has seen enough of a notification: of what was posted up to `offset` in `topic`.
 *
 * Without a topic it is that of both, with the offset 0 all that has come so far.
 */
export type Dismissed = {
  id: string;
  topic: 'notifications/all' | 'notifications/me' | null;
  offset: number;
};

/** The end. For an upload: published under `path`. For a download: all bytes were sent; compare `root`. */
export type Done = {
  type: 'done';
  path: string;
  size: number;
  root: string;
  etag: string;
  warning: string | null;
  entries: number;
  failed: number;
};

/** Another text for a message that has this version. */
export type EditParams = {
  room: string;
  id: string;
  text: string;
  version: number;
};

/**
 * A file, notebook or directory, without its content. `size` is in bytes, null for directories.
 *
 * `etag` is another one whenever the content may be; null for directories. `mtime_ms` is `last_modified` in
 * milliseconds since 1970-01-01 UTC.
 */
export type Entry = {
  name: string;
  path: string;
  type: 'directory' | 'file' | 'notebook';
  writable: boolean;
  last_modified: string;
  created: string;
  size: number | null;
  mimetype: string | null;
  etag: string | null;
  mtime_ms: number;
};

/** What became of an entry that was not simply put where it should go: it has another `path`, or an `error`. */
export type EntryResult = {
  entry: number;
  state: 'failed' | 'renamed' | 'skipped';
  path: string | null;
  error: ErrorInfo | null;
};

/** An error as it stands on the wire. */
export type ErrorInfo = {
  code: string;
  message: string;
  retryable: boolean;
  retry_after_ms?: number | null;
  details?: { [key: string]: unknown } | null;
};

/** Something happened in a topic. `offset` is null where the topic has no log. */
export type Event = {
  type: 'event';
  topic: string;
  offset: number | null;
  id: string;
  kind: string;
  time: number;
  data: unknown;
  prev?: number | null;
};

/** A room, to be read elsewhere. */
export type ExportParams = {
  room: string;
  format?: 'json' | 'markdown';
};

/** A piece of the document; all pieces in order are the whole. */
export type Exported = {
  text: string;
};

/** A file with its content: text, base64, or a notebook's JSON. */
export type FileContent = {
  entry: Entry;
  format: 'base64' | 'json' | 'text';
  content: unknown;
};

/** All bytes of an upload are sent: how many, and the root digest in hex. A tree has `entries` and no root. */
export type Finish = {
  type: 'finish';
  size: number;
  root?: string;
  entries?: number;
};

/** The newest messages in which the words stand, newest first; `more` says whether there are others. */
export type Found = {
  hits: Array<FoundMessage>;
  more: boolean;
};

/** A message in which the words stand, and a piece of it around them. */
export type FoundMessage = {
  message: ChatMessage;
  snippet: string;
};

/** What to read, and how: as what the ContentsManager thinks best where `type` or `format` are null. */
export type GetParams = {
  path: string;
  type?: 'file' | 'notebook' | null;
  format?: 'base64' | 'json' | 'text' | null;
};

/** How a service is: ok, degraded or down, and why if it is not ok. */
export type Health = {
  id: string;
  state: 'degraded' | 'down' | 'ok';
  reason: string | null;
  gone: boolean;
};

/** The server pings every `interval_ms`; silence of interval and grace is death, on both sides. */
export type Heartbeat = {
  interval_ms: number;
  grace_ms: number;
};

/** First message of a connection: a new session, or one to go on with. */
export type Hello = {
  type: 'hello';
  client?: ClientInfo;
  session?: string | null;
  resume?: string | null;
  positions?: { [key: string]: Position | null };
  attempt?: number;
};

/** A page of messages, oldest first; `more` says whether there are older ones, or after a place newer ones. */
export type History = {
  messages: Array<ChatMessage>;
  more: boolean;
};

/** The last messages before a place in the room, the first ones after it, or with neither the newest ones. */
export type HistoryParams = {
  room: string;
  before?: number | null;
  limit?: number;
  after?: number | null;
};

/** Part `n` (0, 1, 2 …) of a streamed reply. */
export type Item = {
  type: 'item';
  ref: number;
  n: number;
  data: unknown;
};

/** This topic is served from its log until the connection has caught up. */
export type Lagging = {
  type: 'lagging';
  topic: string;
};

/** One of the values that a `latest` topic's snapshot lists. */
export type LatestValue = {
  kind: string;
  time: number;
  data: unknown;
};

/** What the server accepts on one connection. */
export type Limits = {
  frame_bytes: number;
  requests_in_flight: number;
  topics: number;
};

/**
 * What to list, and how. Names sort by the numbers in them, `type` groups directories, notebooks and files.
 *
 * `filter` is a part of the name, whatever the case, or a glob if it has one of `*?[`. `hidden` shows hidden files
 * too, where the server allows that. `page_entries` is how many entries a page has at most; 0: as many as fit.
 */
export type ListDirectory = {
  path: string;
  sort?: 'modified' | 'name' | 'size' | 'type';
  descending?: boolean;
  directories_first?: boolean;
  filter?: string | null;
  hidden?: boolean;
  page_entries?: number;
};

/** How many of the newest notifications. */
export type ListParams = {
  limit?: number;
};

/** A notification in a user's list. */
export type Listed = {
  topic: string;
  offset: number;
  read: boolean;
  notification: Notification;
};

/** Replay of this topic is complete; what follows is new. */
export type Live = {
  type: 'live';
  topic: string;
};

/** Make a directory; with `parents` also those that lead to it, and it may exist already. */
export type MakeDirectory = {
  path: string;
  parents?: boolean;
};

/** Who comes into a private room, and who leaves it. */
export type MembersParams = {
  room: string;
  add?: Array<string>;
  remove?: Array<string>;
};

/** A message was edited or deleted. */
export type MessageChanged = {
  message: ChatMessage;
};

/**
 * A piece of an answer.
 *
 * `at` is where it goes: the number of UTF-16 code units before it (a JavaScript string's length). It is applied
 * iff the text has that length; below, it is there already; above, `chat.message` gives what was missed.
 */
export type MessageDelta = {
  message: string;
  at: number;
  text: string;
};

/** An answer is complete: the message has the whole text, `length` is its number of UTF-16 code units. */
export type MessageFinished = {
  message: ChatMessage;
  length: number;
};

/** A message of a room. */
export type MessageParams = {
  room: string;
  id: string;
};

/** An assistant begins to answer; its text grows by deltas. */
export type MessageStarted = {
  message: ChatMessage;
};

/** From where to where. */
export type MoveParams = {
  path: string;
  to: string;
};

/** Parameters of a method that takes none. */
export type Nothing = {
};

/**
 * A notification as it is now. `sender` is the username of who posted it, `source` the program, kernel or event.
 *
 * One that is posted again keeps its `id` and has a higher `version`; it takes the place of the older one.
 */
export type Notification = {
  id: string;
  level: 'error' | 'info' | 'success' | 'warning';
  title: string;
  message: string;
  sender: string;
  time: number;
  version: number;
  source: string;
  actions: Array<Action>;
  progress: number | null;
  expires: number | null;
  since: number;
  updated: number;
};

/** A user's notifications and everybody's, oldest first, and how many of all are unread. */
export type Notifications = {
  items: Array<Listed>;
  unread: number;
  marker: ReadMarker;
  dismissed: Array<Dismissed>;
};

/**
 * What to tell whom. `to` all needs the permission to execute on notifications.
 *
 * With the `id` of one that is under way it updates that one, and of another it is a new one in its place; the same
 * once more, at once, changes nothing.
 */
export type NotifyParams = {
  title: string;
  message?: string;
  level?: 'error' | 'info' | 'success' | 'warning';
  to?: 'all' | 'me';
  id?: string | null;
  source?: string;
  actions?: Array<Action>;
  progress?: number | null;
  expires_in_ms?: number | null;
};

/** What is there already under a name; `size` is in bytes, `mtime_ms` counts from 1970-01-01 UTC. */
export type Occupied = {
  name: string;
  type: 'directory' | 'file';
  size: number;
  mtime_ms: number;
  etag: string;
};

/**
 * A stretch of a sorted listing: entries from number `first` on, of `total`.
 *
 * What has vanished since the names were read is left out, so there may be fewer entries than numbers. Pages with the
 * same `etag` are of the same names.
 */
export type Page = {
  path: string;
  first: number;
  total: number;
  entries: Array<Entry>;
  etag: string;
};

/** Which stretch of a listing: `limit` entries from number `first` on, at most 200. */
export type PageParams = {
  path: string;
  sort?: 'modified' | 'name' | 'size' | 'type';
  descending?: boolean;
  directories_first?: boolean;
  filter?: string | null;
  hidden?: boolean;
  page_entries?: number;
  first: number;
  limit: number;
};

/** A path, relative to the server's root. */
export type PathParams = {
  path: string;
};

/** Are you there? `t` comes back in the pong. */
export type Ping = {
  type: 'ping';
  t: number;
};

/** I am; `t` is the ping's. */
export type Pong = {
  type: 'pong';
  t: number;
};

/**
 * A place in a topic's log: everything up to and including `offset` has been seen.
 *
 * `epoch` names one incarnation of the log, `id` is the id of the message at `offset` ("" at offset 0): the anchor
 * that shows when a store handed an offset out twice.
 */
export type Position = {
  epoch: string;
  offset: number;
  id: string;
};

/** The subscriber's position moved over offsets that were not for it. */
export type PositionMoved = {
  type: 'position';
  topic: string;
  position: Position;
  prev: number;
};

/** What to say where. `ask` names assistants that are to answer, besides those that the text mentions (`@name`). */
export type PostParams = {
  room: string;
  text: string;
  id: string;
  reply_to?: string;
  attachments?: Array<Attachment>;
  ask?: Array<Asked>;
};

/** A notification that was posted, and where it stands. */
export type Posted = {
  topic: string;
  offset: number;
  id: string;
};

/** Somebody who has a room open. `gone` when they have closed it. */
export type Presence = {
  username: string;
  display_name: string;
  state: 'here' | 'typing';
  gone: boolean;
};

/** What the user does in a room. To be said again every 20 s while it is open. */
export type PresenceParams = {
  room: string;
  state?: 'gone' | 'here' | 'typing';
};

/** Who is there. */
export type Present = {
  people: Array<Presence>;
};

/**
 * What the server and its machine use. Bytes; `cpu` is 1 for one core that is busy all the time.
 *
 * Where the server can have less than the whole machine, `machine_…` are of that: see `cores_of` and `memory_of`.
 */
export type ProcessStatus = {
  id: string;
  cpu: number;
  memory: number;
  machine_cpu: number;
  machine_cores: number;
  machine_memory: number;
  machine_memory_used: number;
  loop_lag_ms: number;
  cores_of: 'container' | 'machine' | 'server';
  memory_of: 'container' | 'machine' | 'server';
  models: number;
  models_cpu: number;
  models_memory: number;
  gone: boolean;
};

/** How far a user has read: an offset in their own log and one in everybody's. */
export type ReadMarker = {
  me: number;
  all: number;
};

/** How far a room was read. */
export type ReadParams = {
  room: string;
  seq: number;
};

/** Another title for a room. */
export type RenameRoomParams = {
  room: string;
  title: string;
};

/** The one final answer to a request; `error` if it failed. `ref` is null for an envelope that had none. */
export type Reply = {
  type: 'reply';
  ref: number | null;
  result?: unknown;
  error?: ErrorInfo | null;
};

/** Call a method of a service; answered by exactly one final reply. */
export type Request = {
  type: 'request';
  ref: number;
  method: string;
  params?: unknown;
  timeout_ms?: number | null;
};

/** A room. Its name stays; what people see is its title, where it has one. */
export type Room = {
  name: string;
  created: number;
  created_by: string;
  title: string;
  private: boolean;
  members: Array<string>;
  archived: boolean;
};

/** A room. */
export type RoomParams = {
  room: string;
};

/** How far a user has read a room: in another window of theirs, too. */
export type RoomRead = {
  room: string;
  seq: number;
};

/** A room as it is for the one who asks. */
export type RoomState = {
  room: Room;
  newest: number;
  read: number;
  moderator: boolean;
};

/** The rooms that the user may read, by title. */
export type RoomStates = {
  rooms: Array<RoomState>;
};

/** The rooms are not what they were: ask for them again. (Which ones is told to nobody who may not know of them.) */
export type RoomsChanged = {
};

/** Whether archived rooms are wanted, too. */
export type RoomsParams = {
  archived?: boolean;
};

/** A kernel or terminal; `gone` when it has ended. */
export type RunningStatus = {
  id: string;
  name: string;
  state: string;
  connections: number;
  last_activity: string;
  gone: boolean;
};

/** What to write where. With `expect`, only if the file's etag still is that, or if there is none for `absent`. */
export type SaveParams = {
  path: string;
  content: unknown;
  type?: 'file' | 'notebook';
  format?: 'base64' | 'json' | 'text';
  expect?: string | null;
};

/** Words to look for, in one room or in all that the user may read; the last one may be a beginning. */
export type SearchParams = {
  text: string;
  room?: string;
  limit?: number;
  skip?: number;
};

/** All entries of an uploaded tree before number `entry` are done with; what was special about some. */
export type Settled = {
  type: 'settled';
  entry: number;
  results: Array<EntryResult>;
};

/** Everything at once. */
export type Status = {
  services: Array<Health>;
  kernels: Array<RunningStatus>;
  terminals: Array<RunningStatus>;
  transfers: TransferTotals;
  connections: ConnectionTotals;
  process: ProcessStatus;
};

/** An answer that is to end. */
export type StopParams = {
  room: string;
  id: string;
};

/** How far an upload has come: received by the server, written to the file, safe on the disk. */
export type StreamAck = {
  type: 'ack';
  received: number;
  written: number;
  durable: number;
};

/** Why the stream ends, sent before the close frame. */
export type StreamError = {
  type: 'error';
  error: ErrorInfo;
  expected: number | null;
};

/**
 * First message on a stream.
 *
 * A download goes on after the `have` bytes, and after the first `entries` of a tree, that the client has already.
 * With `digests` an upload's welcome brings the digests of the blocks that the server has.
 */
export type StreamHello = {
  type: 'hello';
  have?: number;
  entries?: number;
  digests?: boolean;
};

/** The client is there, and asks whether the server is. */
export type StreamPing = {
  type: 'ping';
};

/** The answer to `ping`. */
export type StreamPong = {
  type: 'pong';
};

/** The stream is open: go on at `byte_offset`, up to `limit`; with a tree, at the entry number `entry`. */
export type StreamWelcome = {
  type: 'welcome';
  direction: 'download' | 'upload';
  path: string;
  byte_offset: number;
  durable: number;
  size: number;
  limit: number;
  block_bytes: number;
  digest: 'sha256' | 'xxh3-128';
  kind: 'file' | 'tree' | 'zip';
  frame_bytes: number;
  entry: number;
  digests: Array<string> | null;
};

/** Ask for a topic's events, from a position, from the earliest kept, or from now on. */
export type Subscribe = {
  type: 'subscribe';
  ref: number;
  topic: string;
  since?: Position | 'earliest' | 'latest';
};

/** Answer to `subscribe` (`ref`) or to a position in `hello` (`ref` null). */
export type Subscribed = {
  type: 'subscribed';
  ref: number | null;
  topic: string;
  status: 'ok' | 'reset';
  position: Position | null;
  head: number | null;
  reason: string | null;
  snapshot: unknown;
};

/** What an answer took, as the model's provider says. */
export type TokenUsage = {
  input_tokens: number;
  output_tokens: number;
};

/** A transfer that was made; open its stream to move the bytes. `name` is how a download is to be called. */
export type TransferCreated = {
  op: string;
  path: string;
  size: number;
  limits: TransferLimits;
  kind: 'file' | 'tree' | 'zip';
  name: string;
  etag: string | null;
  entries: number;
};

/** What a stream takes: bytes of a frame, of a digest's block, and of a file in a tree. */
export type TransferLimits = {
  frame_bytes: number;
  block_bytes: number;
  tree_file_bytes: number;
};

/** A transfer by its id. */
export type TransferParams = {
  op: string;
};

/** How a transfer is. `byte_offset` is how far it has come, in bytes; `settled` how many of a tree's `entries`. */
export type TransferStatus = {
  op: string;
  direction: 'download' | 'upload';
  path: string;
  size: number;
  byte_offset: number;
  state: 'cancelled' | 'committing' | 'done' | 'failed' | 'paused' | 'running' | 'waiting';
  error: ErrorInfo | null;
  gone: boolean;
  kind: 'file' | 'tree' | 'zip';
  entries: number;
  settled: number;
  failed: number;
  warning: string | null;
  created_ms: number;
};

/** How many transfers of all users are under way, and how fast they are together. */
export type TransferTotals = {
  id: string;
  running: number;
  paused: number;
  bytes_per_s: number;
  gone: boolean;
};

/** A user's transfers, oldest first. */
export type Transfers = {
  transfers: Array<TransferStatus>;
};

/** Entries of a tree from number `first` on, told before their bytes. */
export type TreeEntries = {
  type: 'entries';
  first: number;
  entries: Array<TreeEntry>;
};

/**
 * A file or directory of a tree. `path` is relative to the operation's, with `/`.
 *
 * `root` is a file's root digest: uploads only. `missing`: the client could not read it, nothing of it comes.
 * `if_exists` and `expect` overrule the operation's.
 */
export type TreeEntry = {
  path: string;
  size?: number;
  type?: 'directory' | 'file';
  mtime_ms?: number | null;
  root?: string | null;
  if_exists?: 'fail' | 'overwrite' | 'rename' | 'skip' | null;
  expect?: string | null;
  missing?: boolean;
};

/** No more events of this topic; answered by an empty reply. */
export type Unsubscribe = {
  type: 'unsubscribe';
  ref: number;
  topic: string;
};

/** The session is open; `resumed` says whether it is the one that was asked for. */
export type Welcome = {
  type: 'welcome';
  session: string;
  resume: string;
  resumed: boolean;
  server: string;
  principal: string;
  heartbeat: Heartbeat;
  limits: Limits;
};

export type ClientMessage =
  | Hello
  | Subscribe
  | Unsubscribe
  | Request
  | Cancel
  | Ack
  | Ping
  | Pong
  | Bye;

export type ServerMessage =
  | Welcome
  | Subscribed
  | Event
  | PositionMoved
  | Live
  | Lagging
  | Reply
  | Item
  | Ping
  | Pong
  | Bye;

export type StreamClientMessage =
  | StreamHello
  | Finish
  | Credit
  | TreeEntries
  | StreamPing;

export type StreamServerMessage =
  | StreamWelcome
  | StreamAck
  | Credit
  | TreeEntries
  | Settled
  | Done
  | StreamPong
  | StreamError;

/** Every method: what it takes and what it gives. */
export interface Methods {
  /** Have a message answered (again); gives the answer as it begins. It goes on when the asker is gone. */
  'assistants.ask': {
    params: AskParams;
    result: ChatMessage;
  };
  /** Which assistants there are, their models, and how they are. */
  'assistants.list': {
    params: Nothing;
    result: Assistants;
  };
  /** End an answer: who asked for it, or a moderator. Gives it as it ended. */
  'assistants.stop': {
    params: StopParams;
    result: ChatMessage;
  };
  /** Close a room for writing, or open it again: who made it, or a moderator. */
  'chat.archive': {
    params: ArchiveParams;
    result: Room;
  };
  /** Make a room; where it exists already, that one is given. */
  'chat.create': {
    params: CreateRoomParams;
    result: Room;
  };
  /** Take a message's text away: its author, who asked for the answer, or a moderator. */
  'chat.delete': {
    params: MessageParams;
    result: ChatMessage;
  };
  /** Change a message: its author, or a moderator. `conflict` if it is not in the version that was seen. */
  'chat.edit': {
    params: EditParams;
    result: ChatMessage;
  };
  /** Read a room's messages back or on from a place; a page of long messages has fewer than `limit`. */
  'chat.history': {
    params: HistoryParams;
    result: History;
  };
  /** Let people into a private room, or out of it: who made it, or a moderator. Everybody may leave. */
  'chat.members': {
    params: MembersParams;
    result: Room;
  };
  /** A message as it is now; of an answer under way, what there is so far. */
  'chat.message': {
    params: MessageParams;
    result: ChatMessage;
  };
  /** Say something in a room. The same `id` again gives the message that is there. */
  'chat.post': {
    params: PostParams;
    result: ChatMessage;
  };
  /** Say that one is in a room, and typing; learn who else is. */
  'chat.presence': {
    params: PresenceParams;
    result: Present;
  };
  /** Mark a room as read up to a message; the marker never goes back. */
  'chat.read': {
    params: ReadParams;
    result: RoomRead;
  };
  /** Delete a room with all that was said in it: who made it, or a moderator. */
  'chat.remove': {
    params: RoomParams;
    result: Nothing;
  };
  /** Give a room another title: who made it, or a moderator. */
  'chat.rename': {
    params: RenameRoomParams;
    result: Room;
  };
  /** List the rooms that the user may read, with how far they have. */
  'chat.rooms': {
    params: RoomsParams;
    result: RoomStates;
  };
  /** Find messages by their words. */
  'chat.search': {
    params: SearchParams;
    result: Found;
  };
  /** Make a checkpoint of a file; the one before it may be replaced. */
  'files.checkpoint': {
    params: PathParams;
    result: Checkpoint;
  };
  /** List the checkpoints of a file. */
  'files.checkpoints': {
    params: PathParams;
    result: Array<Checkpoint>;
  };
  /** Copy a file or directory to a path, or into a directory under a free name. */
  'files.copy': {
    params: MoveParams;
    result: Entry;
  };
  /** Make an empty file, notebook or directory. */
  'files.create': {
    params: CreateParams;
    result: Entry;
  };
  /** Delete a file or directory, to the trash where that is configured. */
  'files.delete': {
    params: PathParams;
    result: null;
  };
  /** Forget a checkpoint. */
  'files.delete_checkpoint': {
    params: CheckpointParams;
    result: null;
  };
  /** Read a file or notebook that fits an answer; larger ones are downloaded (`transfers.create`). */
  'files.get': {
    params: GetParams;
    result: FileContent;
  };
  /** Make a directory. */
  'files.mkdir': {
    params: MakeDirectory;
    result: Entry;
  };
  /** Move a file or directory into a directory, or to a path at which nothing is. */
  'files.move': {
    params: MoveParams;
    result: Entry;
  };
  /** A stretch of a listing, for scrolling. */
  'files.page': {
    params: PageParams;
    result: Page;
  };
  /** Move or rename a file or directory to a path at which nothing is. */
  'files.rename': {
    params: MoveParams;
    result: Entry;
  };
  /** Bring a file back to a checkpoint. */
  'files.restore': {
    params: CheckpointParams;
    result: Entry;
  };
  /** Write a file or notebook, whole, that fits a frame; larger ones are uploaded (`transfers.create`). */
  'files.save': {
    params: SaveParams;
    result: Entry;
  };
  /** Look at a file or directory without reading it. */
  'files.stat': {
    params: PathParams;
    result: Entry;
  };
  /** Show a notification to this user no more, in no window of theirs, until there is news under its `id`. */
  'notifications.dismiss': {
    params: Dismissed;
    result: Dismissed;
  };
  /** List the newest notifications of this user and of everybody: not what has expired or was dismissed. */
  'notifications.list': {
    params: ListParams;
    result: Notifications;
  };
  /**
   * Notify oneself, or everybody. With the `id` of one under way that is updated; the same at once counts once.
   *
   * Updates of one notification are told at most five times a second; the last one always is.
   */
  'notifications.post': {
    params: NotifyParams;
    result: Posted;
  };
  /** Mark notifications up to these offsets as read; a marker never goes back, nor beyond what there is. */
  'notifications.read': {
    params: ReadMarker;
    result: ReadMarker;
  };
  /** How everything is now. */
  'status.get': {
    params: Nothing;
    result: Status;
  };
  /** End a transfer and remove what it has left; one that has ended stays as it is. */
  'transfers.cancel': {
    params: TransferParams;
    result: TransferStatus;
  };
  /** Say which of the names that an upload would make are taken, so that a person can be asked once. */
  'transfers.check': {
    params: CheckParams;
    result: Checked;
  };
  /** Prepare an upload or a download; an upload needs the permission to write. */
  'transfers.create': {
    params: CreateTransfer;
    result: TransferCreated;
  };
  /** Take a transfer that has ended out of the list. */
  'transfers.forget': {
    params: TransferParams;
    result: null;
  };
  /** List this user's transfers. */
  'transfers.list': {
    params: Nothing;
    result: Transfers;
  };
  /** Stop moving bytes until `transfers.resume`; the stream ends with `paused`, what has arrived is kept. */
  'transfers.pause': {
    params: TransferParams;
    result: TransferStatus;
  };
  /** Let a paused transfer go on: whoever has the file opens its stream again. */
  'transfers.resume': {
    params: TransferParams;
    result: TransferStatus;
  };
}
export type MethodName = keyof Methods;
/** Every method whose reply comes in items. */
export interface Streams {
  /** Write a room as one Markdown or JSON document, in pieces. */
  'chat.export': {
    params: ExportParams;
    item: Exported;
  };
  /** List a directory, page after page; at least one, the first one at once. */
  'files.list': {
    params: ListDirectory;
    item: Page;
  };
}
export type StreamName = keyof Streams;
/** Methods that may be sent again when it is not known whether they ran. */
export const IDEMPOTENT: ReadonlySet<string> = new Set([
  'assistants.ask',
  'assistants.list',
  'assistants.stop',
  'chat.archive',
  'chat.create',
  'chat.delete',
  'chat.edit',
  'chat.export',
  'chat.history',
  'chat.members',
  'chat.message',
  'chat.post',
  'chat.presence',
  'chat.read',
  'chat.remove',
  'chat.rename',
  'chat.rooms',
  'chat.search',
  'files.checkpoints',
  'files.get',
  'files.list',
  'files.page',
  'files.stat',
  'notifications.dismiss',
  'notifications.list',
  'notifications.read',
  'status.get',
  'transfers.cancel',
  'transfers.check',
  'transfers.forget',
  'transfers.list',
  'transfers.pause',
  'transfers.resume',
]);

/** Every topic, or pattern of topics: its events' kinds and payloads, and its snapshot. */
export interface Topics {
  'chat/*': {
    events: {
      message: ChatMessage;
      'message.changed': MessageChanged;
      'message.delta': MessageDelta;
      'message.finished': MessageFinished;
      'message.started': MessageStarted;
    };
    snapshot: History;
  };
  'files/*': {
    events: {
      changed: DirectoryChanged;
    };
    snapshot: Array<LatestValue>;
  };
  'notifications/all': {
    events: {
      notification: Notification;
    };
    snapshot: null;
  };
  'notifications/me': {
    events: {
      dismissed: Dismissed;
      notification: Notification;
      read: ReadMarker;
    };
    snapshot: null;
  };
  'presence/*': {
    events: {
      presence: Presence;
    };
    snapshot: Array<LatestValue>;
  };
  'rooms': {
    events: {
      changed: RoomsChanged;
    };
    snapshot: Array<LatestValue>;
  };
  'rooms/me': {
    events: {
      read: RoomRead;
    };
    snapshot: Array<LatestValue>;
  };
  'status': {
    events: {
      connections: ConnectionTotals;
      kernel: RunningStatus;
      process: ProcessStatus;
      service: Health;
      terminal: RunningStatus;
      transfers: TransferTotals;
    };
    snapshot: Array<LatestValue>;
  };
  'transfers/me': {
    events: {
      transfer: TransferStatus;
    };
    snapshot: Array<LatestValue>;
  };
}

/** The pattern that a topic's name falls under. */
export type PatternOf<T extends string> = T extends keyof Topics
  ? T
  : T extends `${infer Head}/${string}`
    ? `${Head}/*` extends keyof Topics
      ? `${Head}/*`
      : never
    : never;

/** The events of a topic: kinds and payloads. */
export type EventsOf<T extends string> = Topics[PatternOf<T>]['events'];

/** What a topic's snapshot is. */
export type SnapshotOf<T extends string> = Topics[PatternOf<T>]['snapshot'];
