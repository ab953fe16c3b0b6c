/**
 * The switches of the user: each brings the stock path back at once.
 */
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ISignal, Signal } from '@lumino/signaling';

import { SETTINGS_ID } from '../server';

const SWITCHES = { transferStreams: true, listings: true };

export class FileSettings {
  /** Until they are loaded, or where there is no registry, everything is on. */
  constructor(registry: ISettingRegistry | null) {
    registry
      ?.load(SETTINGS_ID)
      .then(settings => {
        settings.changed.connect(this._read, this);
        this._read(settings);
      })
      .catch(console.warn);
  }

  /** Uploads and downloads go over streams. */
  get transferStreams(): boolean {
    return this._on.transferStreams;
  }

  /** Listings come over the connection for messages. */
  get listings(): boolean {
    return this._on.listings;
  }

  /** Emitted when a switch was turned. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private _read({ composite }: ISettingRegistry.ISettings): void {
    this._on = {
      transferStreams: composite['transferStreams'] !== false,
      listings: composite['listings'] !== false
    };
    this._changed.emit();
  }

  private _on = SWITCHES;
  private readonly _changed = new Signal<this, void>(this);
}
