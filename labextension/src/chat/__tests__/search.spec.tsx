import { nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import {
  ADA,
  ChatConnections,
  FakeKeep,
  messageOf,
  turn
} from '../../testing/fakeChat';
import { FoundMessage } from '../../protocol/generated';
import { ChatModel } from '../chatModel';
import { PAUSE_MS, SearchModel } from '../searchModel';
import { SearchView } from '../searchView';
import { IChatServices, ServicesProvider } from '../services';

const hitOf = (seq: number): FoundMessage => ({
  message: messageOf(seq),
  snippet: `… ${seq} …`
});
const hitsOf = (...seqs: number[]) => ({
  hits: seqs.map(hitOf),
  more: false
});
let connections: ChatConnections;

const asked = () => connections.asked('chat.search');
const answer = (found: object) => connections.answer('chat.search', found);

describe('A search', () => {
  let search: SearchModel;
  let room: string;
  const seqs = () => search.found?.hits.map(({ message }) => message.seq);
  const pause = () => jest.advanceTimersByTimeAsync(PAUSE_MS);

  beforeEach(() => {
    jest.useFakeTimers();
    connections = new ChatConnections();
    room = 'general';
    search = new SearchModel(connections, () => room);
  });

  afterEach(() => {
    search.dispose();
    jest.useRealTimers();
  });

  it('begins when nobody has typed for a moment', async () => {
    search.text = 'a';
    await jest.advanceTimersByTimeAsync(PAUSE_MS - 50);
    search.text = 'ab';
    await jest.advanceTimersByTimeAsync(PAUSE_MS - 50);
    expect(asked()).toEqual([]);
    await pause();
    expect(asked()).toMatchObject([{ text: 'ab', room: '', skip: 0 }]);
    await answer(hitsOf(3, 2));
    expect([seqs(), search.error]).toEqual([[3, 2], null]);
  });

  it('keeps what was found until there is something else, and takes nothing old', async () => {
    search.text = 'a';
    await pause();
    search.text = 'ab';
    await answer(hitsOf(3));
    expect(search.found).toBeNull();
    await pause();
    await answer(hitsOf(2));
    search.text = 'abc';
    expect(seqs()).toEqual([2]);
  });

  it('of nothing finds nothing, and asks nobody', async () => {
    search.text = '  ';
    await pause();
    expect([seqs(), asked()]).toEqual([[], []]);
  });

  it('goes on after what was found, once at a time', async () => {
    search.text = 'a';
    await pause();
    await answer({ ...hitsOf(9, 8), more: true });
    void search.more();
    void search.more();
    expect(asked()).toMatchObject([{ skip: 2 }]);
    await answer({ ...hitsOf(7), more: true });
    expect(seqs()).toEqual([9, 8, 7]);
    void search.more();
    await answer(hitsOf(6));
    void search.more();
    expect([seqs(), asked()]).toEqual([[9, 8, 7, 6], []]);
  });

  it('says what went wrong', async () => {
    search.text = 'a';
    await pause();
    await connections.refuse('chat.search', new Error('Too many searches.'));
    expect(search.error).toBe('Too many searches.');
  });

  it('is in the room that is open, also when that is another one', async () => {
    search.text = 'a';
    search.here = true;
    await pause();
    expect(asked()).toMatchObject([{ room: 'general' }]);
    await answer(hitsOf(1));
    search.shown();
    await pause();
    expect(asked()).toEqual([]);
    room = 'other';
    search.shown();
    await pause();
    expect(asked()).toMatchObject([{ room: 'other' }]);
  });

  it('remembers the hit that was gone to, until there are others', async () => {
    search.text = 'a';
    await pause();
    await answer({ ...hitsOf(2), more: true });
    const [hit] = search.found!.hits;
    search.visit(hit!);
    void search.more();
    await answer(hitsOf(1));
    expect(search.visited).toBe(hit);
    search.text = 'b';
    await pause();
    await answer(hitsOf(5));
    expect(search.visited).toBeNull();
  });

  it('is over after dispose', async () => {
    search.text = 'a';
    search.dispose();
    search.text = 'b';
    await pause();
    expect([asked(), search.isDisposed]).toEqual([[], true]);
  });
});

describe('The view of a search', () => {
  let chat: ChatModel;
  let view: Widget;

  const find = <T extends Element>(selector: string) =>
    view.node.querySelector<T>(selector)!;
  const hits = () => [
    ...view.node.querySelectorAll<HTMLElement>('.jp-WsHub-hit')
  ];

  async function drawn(holds: () => boolean): Promise<void> {
    for (let n = 0; n < 400 && !holds(); n++) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    expect(holds()).toBe(true);
  }

  async function show(): Promise<void> {
    const services = {
      ...{ chat, trans: nullTranslator.load('jupyter_ws_hub') }
    } as unknown as IChatServices;
    view = ReactWidget.create(
      <ServicesProvider value={services}>
        <SearchView />
      </ServicesProvider>
    );
    Widget.attach(view, document.body);
    await drawn(() => find('input') !== null);
  }

  function type(text: string): void {
    const input = find<HTMLInputElement>('input[type=search]');
    const { set } = Object.getOwnPropertyDescriptor(
      HTMLInputElement.prototype,
      'value'
    )!;
    set!.call(input, text);
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  beforeEach(async () => {
    connections = new ChatConnections();
    chat = new ChatModel({
      ...{ connections, me: ADA, keep: new FakeKeep(), server: 'here' },
      room: 'general',
      onError: error => {
        throw error;
      },
      onGone: () => undefined
    });
    await show();
  });

  afterEach(() => {
    view.dispose();
    chat.dispose();
  });

  it('goes to the message of a hit, and has it again when one comes back', async () => {
    expect(document.activeElement).toBe(find('input[type=search]'));
    type('word');
    await drawn(() => asked().length === 1);
    await answer(hitsOf(500, 400));
    await drawn(() => hits().length === 2);
    expect(find('[role=status]').textContent).toBe('2 messages');
    hits()[1]!.click();
    expect([chat.view, chat.open?.model.room]).toEqual(['room', 'general']);
    expect(connections.asked('chat.history')).toMatchObject([
      { before: 401 },
      { after: 400 }
    ]);
    view.dispose();
    await show();
    expect(find<HTMLInputElement>('input[type=search]').value).toBe('word');
    await drawn(() => document.activeElement === hits()[1]);
    await turn();
    expect(asked()).toEqual([]);
  });

  it('says that nothing was found, or why', async () => {
    type('word');
    await drawn(() => asked().length === 1);
    await answer(hitsOf());
    await drawn(
      () => find('[role=status]').textContent === 'Nothing was found.'
    );
    type('words');
    await drawn(() => asked().length === 1);
    await connections.refuse('chat.search', new Error('Too many.'));
    await drawn(() => find('[role=status]').textContent === 'Too many.');
  });
});
