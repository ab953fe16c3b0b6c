/**
 * What a job is that moves the bytes of one transfer, and the words between it and the page: plain data that can go to
 * a worker.
 */
import { Done, EntryResult, ErrorInfo } from '../protocol/generated';
import { IfExists } from '../tokens';
import { StreamLine } from './streamLine';

/** One entry of a tree to upload; `file` is null for a directory, and for a file that is not there any more. */
export interface ITreeItem {
  readonly path: string;
  readonly type: 'file' | 'directory';
  readonly file: File | null;
  readonly size: number;
  readonly mtimeMs: number | null;
  readonly ifExists?: IfExists;
  readonly expect?: string;
}

/** What is to be moved. */
export type JobSpec =
  | {
      readonly kind: 'file';
      readonly file: File;
      /** It was begun before this page was loaded: what the server has must be compared with the file. */
      readonly resumed: boolean;
    }
  | { readonly kind: 'tree'; readonly items: readonly ITreeItem[] }
  | {
      readonly kind: 'download';
      readonly handle: FileSystemFileHandle;
      readonly size: number;
      /** What its parts are called; null: it is written to its file at once. */
      readonly parts: string | null;
    };

/** How far a job is. */
export interface IJobProgress {
  /** Bytes that the receiver has written. */
  readonly written: number;
  /** Entries of a tree that are settled. */
  readonly settled: number;
  /** All bytes are sent: the server publishes. */
  readonly committing: boolean;
}

/** What a job tells while a stream runs. */
export interface IJobEvents {
  onProgress(progress: IJobProgress): void;
  /** What was special about entries of a tree. */
  onResults(results: EntryResult[]): void;
  /** The part that the server had is the same as in the file. */
  onVerified(): void;
}

/** Moves the bytes of one transfer, over one stream after the other. */
export interface IJob {
  /** Run over a stream that is open; resolves at the end, rejects with a HubError when the stream has ended before. */
  run(line: StreamLine, events: IJobEvents): Promise<Done>;
  /** It will not be run again; `discard`: nor will another job go on with what it has received. */
  end(discard: boolean): Promise<void>;
}

/** From the page to the engine. */
export type ToEngine =
  | { type: 'start'; id: number; spec: JobSpec }
  | { type: 'open'; id: number; url: string }
  | { type: 'close'; id: number; error: ErrorInfo }
  | { type: 'end'; id: number; discard: boolean };

/** From the engine to the page. */
export type FromEngine =
  | { type: 'ready' }
  | { type: 'opened'; id: number }
  | { type: 'progress'; id: number; progress: IJobProgress }
  | { type: 'results'; id: number; results: EntryResult[] }
  | { type: 'verified'; id: number }
  | { type: 'done'; id: number; done: Done }
  | { type: 'closed'; id: number; error: ErrorInfo; wasOpened: boolean };
