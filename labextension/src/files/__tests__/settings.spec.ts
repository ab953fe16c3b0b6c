import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal } from '@lumino/signaling';

import { FileSettings } from '../settings';

class FakeSettings {
  readonly changed: Signal<FakeSettings, void> = new Signal(this);
  composite: { [key: string]: unknown } = {};
}

function registryOf(settings: FakeSettings | Error): ISettingRegistry {
  const load = async () => {
    if (settings instanceof Error) {
      throw settings;
    }
    return settings;
  };
  return { load } as unknown as ISettingRegistry;
}

const read = ({ transferStreams, listings }: FileSettings) => [
  transferStreams,
  listings
];
const settled = () => new Promise(resolve => setTimeout(resolve));

describe('The switches', () => {
  it('are on without a registry, and where they cannot be loaded', async () => {
    expect(read(new FileSettings(null))).toEqual([true, true]);
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const broken = new FileSettings(registryOf(new Error('no')));
    await settled();
    expect([read(broken), warn.mock.calls.length]).toEqual([[true, true], 1]);
    warn.mockRestore();
  });

  it('follow the settings at once', async () => {
    const fake = new FakeSettings();
    fake.composite = { transferStreams: false };
    const settings = new FileSettings(registryOf(fake));
    let changes = 0;
    settings.changed.connect(() => (changes += 1));
    await settled();
    expect([read(settings), changes]).toEqual([[false, true], 1]);
    fake.composite = { transferStreams: true, listings: false };
    fake.changed.emit();
    expect([read(settings), changes]).toEqual([[true, false], 2]);
  });
});
