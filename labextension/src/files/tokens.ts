/**
 * What the parts of this extension know of its files plugin.
 */
import { Token } from '@lumino/coreutils';

import { IUploadResult } from '../tokens';
import { ICollected } from './drop';

/** Uploads and downloads with their questions and notices. */
export interface IFileActions {
  /** Upload; into the directory that the file browser shows where none is given. Null if nothing was uploaded. */
  upload(
    collected: ICollected | Promise<ICollected>,
    directory?: string
  ): Promise<IUploadResult | null>;
  /** Show a path of the server in the file browser; null where there is none. */
  readonly reveal: ((path: string) => void) | null;
}

export const IFileActions = new Token<IFileActions>(
  'jupyter-ws-hub:IFileActions'
);
