/**
 * The text of an answer while it is written: in blocks, of which the last one is rendered anew as it grows.
 *
 * What is finished in it is not touched any more, so that it can be selected and does not move. It stays until the
 * list has rendered the whole text in its place.
 */
import { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { blocksOf } from './blocks';
import { RoomModel } from './roomModel';

const MARKDOWN = 'text/markdown';
/** Of the time between two renderings of a block at most one part in so many is spent on it. */
const SPARE = 4;
const LONGEST_PAUSE_MS = 400;
const HAND_OVER_MS = 2000;

/** Draws a growing text into an element. */
export class GrowingText {
  constructor(
    private readonly _node: HTMLElement,
    private readonly _rendermime: IRenderMimeRegistry
  ) {}

  /** Show this text, soon. */
  set(text: string): void {
    this._text = text;
    if (!this._busy) {
      this._busy = true;
      void this._draw();
    }
  }

  dispose(): void {
    this._disposed = true;
    this._shown.splice(0).forEach(({ renderer }) => letGo(renderer));
  }

  /** Draw until what is drawn is what is wanted: never two at once, so the newest is the last. */
  private async _draw(): Promise<void> {
    while (this._drawn !== this._text && !this._disposed) {
      const text = this._text;
      const began = performance.now();
      await this._blocks(blocksOf(text));
      this._drawn = text;
      const spent = performance.now() - began;
      await pause(Math.min(spent * SPARE, LONGEST_PAUSE_MS));
    }
    this._busy = false;
  }

  private async _blocks(blocks: readonly string[]): Promise<void> {
    for (const [index, block] of blocks.entries()) {
      const shown = this._shown[index];
      if (shown?.block !== block) {
        const renderer = await this._render(block);
        if (shown) {
          shown.renderer.node.replaceWith(renderer.node);
          letGo(shown.renderer);
        } else {
          this._node.append(renderer.node);
        }
        this._shown[index] = { block, renderer };
      }
    }
    this._shown
      .splice(blocks.length)
      .forEach(({ renderer }) => letGo(renderer));
  }

  private async _render(block: string): Promise<IRenderMime.IRenderer> {
    const renderer = this._rendermime.createRenderer(MARKDOWN);
    const data = { [MARKDOWN]: block };
    await renderer.renderModel(this._rendermime.createModel({ data }));
    // It is never attached as a widget; formulas are set when it is told that it was.
    MessageLoop.sendMessage(renderer, Widget.Msg.AfterAttach);
    return renderer;
  }

  private readonly _shown: {
    block: string;
    renderer: IRenderMime.IRenderer;
  }[] = [];
  private _text = '';
  private _drawn = '';
  private _busy = false;
  private _disposed = false;
}

/** Dispose a renderer that was told that it is attached, and is not by its own means. */
function letGo(renderer: IRenderMime.IRenderer): void {
  MessageLoop.sendMessage(renderer, Widget.Msg.BeforeDetach);
  renderer.node.remove();
  MessageLoop.sendMessage(renderer, Widget.Msg.AfterDetach);
  renderer.dispose();
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

/** The text of an answer as it grows; nothing once the list shows it. */
export function StreamText(props: {
  model: RoomModel;
  id: string;
  rendermime: IRenderMimeRegistry;
}): JSX.Element | null {
  const { model, id, rendermime } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const isWriting = () => model.get(id)?.answer?.state === 'writing';
  const [shown, setShown] = React.useState(isWriting);
  React.useEffect(() => {
    if (!node.current) {
      return;
    }
    const element = node.current;
    const text = new GrowingText(element, rendermime);
    const show = () => text.set(model.get(id)?.text ?? '');
    const onStream = (_: RoomModel, grown: string) => grown === id && show();
    const onChange = () => {
      show();
      if (!isWriting()) {
        model.changed.disconnect(onChange);
        whenRendered(element, () => setShown(false));
      }
    };
    model.streamed.connect(onStream);
    model.changed.connect(onChange);
    onChange();
    return () => {
      text.dispose();
      model.streamed.disconnect(onStream);
      model.changed.disconnect(onChange);
    };
  }, [shown]);
  return shown ? <div className="jp-WsHub-stream" ref={node} /> : null;
}

/** Call when the list has rendered the message that an element is above the text of. */
function whenRendered(element: HTMLElement, then: () => void): void {
  const message = element.parentElement;
  const rendered = () =>
    message?.querySelector('.jp-chat-rendered-message')?.textContent;
  let done = false;
  const finish = () => {
    if (!done) {
      done = true;
      observer.disconnect();
      clearTimeout(timer);
      then();
    }
  };
  const look = () => rendered() && finish();
  const observer = new MutationObserver(look);
  const timer = setTimeout(finish, HAND_OVER_MS);
  if (message) {
    observer.observe(message, { childList: true, subtree: true });
  }
  look();
}
