/**
 * Why a terminal's upgrade was refused, which browsers do not tell: the server is asked over HTTP.
 */
import { ITerminalHolder } from './terminalMode';
import { Verdict } from './transport';

/** `foreign`: the terminal is there, but what we ask for is refused. */
export type RefusalVerdict = Verdict | 'foreign';

/** So many refused upgrades of a terminal that is there: the server half is too old, or a proxy is in the way. */
const REFUSALS = 2;

export class Refusals {
  constructor(private readonly _holder: ITerminalHolder) {}

  /**
   * An upgrade was refused: is it the user, is the terminal gone, or does something not know what we ask for? While a
   * question is under way there is no second one. `wasOpened`: it was let through before, so that it is known.
   */
  async ask(wasOpened: boolean): Promise<RefusalVerdict> {
    if (this._isAsking) {
      return 'retry';
    }
    this._isAsking = true;
    const { options, name } = this._holder;
    try {
      const verdict = await options.ask();
      if (verdict !== 'retry' || wasOpened) {
        return verdict;
      }
      const exists = await options.exists(name);
      this._count += exists === true ? 1 : 0;
      if (exists === false) {
        return 'gone';
      }
      return this._count >= REFUSALS ? 'foreign' : 'retry';
    } finally {
      this._isAsking = false;
    }
  }

  private _isAsking = false;
  private _count = 0;
}
