/**
 * Entries of the service `files` as JupyterLab's own models, as `/api/contents` gives them.
 */
import { Contents } from '@jupyterlab/services';

import { Entry } from '../protocol/generated';

/** A file or directory without its content. */
export function toModel(entry: Entry): Contents.IModel {
  const { name, path, type, writable, created, last_modified } = entry;
  const model = {
    name,
    path,
    last_modified,
    created,
    content: null,
    format: null,
    // JupyterLab's types do not have it that directories have none, its server does.
    mimetype: entry.mimetype as string,
    // Null, not missing, where there is none.
    size: entry.size as number,
    writable,
    hash: null,
    hash_algorithm: null,
    type
  };
  return model as unknown as Contents.IModel;
}

/** A directory with what is in it. */
export function toDirectory(
  directory: Entry,
  content: readonly Contents.IModel[]
): Contents.IModel {
  return { ...toModel(directory), format: 'json', content: [...content] };
}

/** A model that tells of a change, as an entry of a listing; null if it does not tell enough. */
export function toListed(
  model: Partial<Contents.IModel>
): Contents.IModel | null {
  const { name, path, type, last_modified, created } = model;
  if (!name || !path || !type || !last_modified || !created) {
    return null;
  }
  return {
    ...(model as Contents.IModel),
    content: null,
    format: null
  };
}
