/**
 * A room of many messages that is open, for tests of going about in it.
 */
import { Outbox } from '../chat/outbox';
import { RoomModel } from '../chat/roomModel';
import { ChatConnections, FakeKeep, FakeRoom } from './fakeChat';

export const TOPIC = 'chat/general';

export class RoomRig {
  constructor(count: number) {
    this.connections = new ChatConnections();
    this.outbox = new Outbox(this.connections, new FakeKeep(), 'p');
    this.room = new FakeRoom(this.connections, count);
    this.model = this._open();
  }

  readonly connections: ChatConnections;
  readonly outbox: Outbox;
  readonly room: FakeRoom;
  readonly errors: string[] = [];
  model: RoomModel;
  /** So often was told that what is shown has changed. */
  changes = 0;

  /** Its newest page is here. */
  async ready(): Promise<void> {
    this.connections.live(TOPIC);
    await this.room.serve();
  }

  /** It is opened anew. */
  reopen(): void {
    this.model.dispose();
    this.model = this._open();
  }

  /** `seq` of the first and the last message that are shown; what lies between must have no gap. */
  span(): (number | undefined)[] {
    const seqs = this.model.messages.map(({ seq }) => seq);
    seqs.forEach((seq, index) => expect(seq).toBe(seqs[0]! + index));
    return [seqs[0], seqs[seqs.length - 1]];
  }

  /** The message that is to be looked at. */
  aimed(): string | null | undefined {
    return this.model.place.target?.id;
  }

  /** The pages that are asked for, as they are now. */
  pages(): unknown[] {
    return this.connections
      .asked('chat.history')
      .map(params => this.room.page(params));
  }

  async goTo(seq: number): Promise<void> {
    void this.model.place.goTo(seq);
    await this.room.serve();
  }

  async newer(): Promise<void> {
    void this.model.place.loadNewer();
    await this.room.serve();
  }

  async older(): Promise<void> {
    void this.model.loadOlder();
    await this.room.serve();
  }

  /** Read on until the newest messages are here. */
  async toPresent(): Promise<void> {
    for (let n = 0; this.model.isPast; n++) {
      expect(n).toBeLessThan(20);
      await this.newer();
    }
  }

  /** The topic has a gap; what is there now comes with that. */
  reset(): void {
    this.connections
      .followers(TOPIC)[0]
      ?.onSnapshot?.(this.room.page({}) as never, 'trimmed');
  }

  dispose(): void {
    this.model.dispose();
    this.outbox.dispose();
  }

  private _open(): RoomModel {
    const { connections, outbox, errors } = this;
    const model = new RoomModel(connections, outbox, 'general', error =>
      errors.push(error.message)
    );
    model.changed.connect(() => (this.changes += 1));
    return model;
  }
}
