/**
 * Showing where a file is.
 */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { FileBrowser } from '@jupyterlab/filebrowser';

import { directoryOf, nameOf } from './place';

/** Open a path's directory in a file browser, and select it there. */
export async function reveal(
  shell: JupyterFrontEnd.IShell,
  browser: FileBrowser,
  path: string
): Promise<void> {
  shell.activateById(browser.id);
  // Within the drive that it shows.
  await browser.model.cd(`/${directoryOf(path)}`);
  if (path !== '') {
    await browser.selectItemByName(nameOf(path));
  }
}
