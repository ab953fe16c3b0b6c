/**
 * Where a path of JupyterLab's file browser is: on our server, or in a drive of somebody else.
 */
import { Contents } from '@jupyterlab/services';

/** What is asked of the contents manager. */
export type IPlaces = Pick<Contents.IManager, 'driveName' | 'localPath'>;

/** The drive under which jupyter-collaboration shows the server's files, where it has one of its own. */
const COLLABORATIVE = 'RTC';

/** The server's path of a file browser's path; null where another drive holds it. */
export function serverPath(places: IPlaces, path: string): string | null {
  const drive = places.driveName(path);
  return drive === '' || drive === COLLABORATIVE
    ? places.localPath(path)
    : null;
}

/** The directory in which a path is; empty for the root. */
export function directoryOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
