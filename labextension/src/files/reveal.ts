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
  const { model } = browser;
  const drive = model.driveName === '' ? '' : `${model.driveName}:`;
  shell.activateById(browser.id);
  await model.cd(`${drive}/${directoryOf(path)}`);
  await browser.selectItemByName(nameOf(path));
}
