/**
 * What the user has set of notifications.
 */
import { ISettingRegistry } from '@jupyterlab/settingregistry';

export class NotificationSettings {
  /** Without a registry: pop-ups, and no commands. */
  constructor(private readonly _settings: ISettingRegistry.ISettings | null) {}

  /** Whether notifications pop up. */
  get popups(): boolean {
    return this._settings?.composite['notificationPopups'] !== false;
  }

  /** Whether notifications may run a command, by a click on their button. */
  allows(command: string): boolean {
    const allowed = this._settings?.composite['notificationCommands'];
    return Array.isArray(allowed) && allowed.includes(command);
  }
}
