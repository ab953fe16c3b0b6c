/**
 * What the page knows of the server half, and the names that both halves share.
 */
import { PageConfig } from '@jupyterlab/coreutils';

/** The domain of our translations. */
export const TRANSLATION_DOMAIN = 'jupyter_ws_hub';

/** The plugin whose settings these are; schema/panel.json. */
export const SETTINGS_ID = 'jupyter-ws-hub:panel';

/** The side panel. */
export const PANEL_ID = 'jupyter-ws-hub-panel';

/** The version that the server half has put into the page; empty where it is missing. */
export function serverVersion(): string {
  return PageConfig.getOption('jupyterWsHub');
}

/** Whether the server half is there; without it JupyterLab works as without this extension. */
export function isAvailable(): boolean {
  return serverVersion() !== '';
}

/**
 * Whether the server half is there and has a service: an administrator can leave each out, and some need what not every
 * system has. What belongs to it is not shown then, and JupyterLab's own way is used where there is one.
 */
export function hasService(name: string): boolean {
  const names = PageConfig.getOption('jupyterWsHubServices');
  return isAvailable() && (!names || JSON.parse(names).includes(name));
}
