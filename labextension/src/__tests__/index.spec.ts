/**
 * What another extension sees of this one: it imports the token, and adds its own methods, streams and topics.
 */
import { join } from 'path';
import ts from 'typescript';

jest.setTimeout(120_000);

const ROOT = join(__dirname, '..', '..');
const FILE = join(ROOT, 'third-party.ts');

const DECLARED = `
import { HubError, IConnectionManager } from 'jupyter-ws-hub';

declare module 'jupyter-ws-hub' {
  interface Methods {
    'example.greet': { params: { name: string }; result: { text: string } };
  }
  interface Streams {
    'example.count': { params: { to: number }; item: { n: number } };
  }
  interface Topics {
    'example/*': { events: { greeted: { name: string } }; snapshot: null };
  }
}
`;

/** What the compiler says about a file of another extension. */
function complaints(text: string): string[] {
  const options: ts.CompilerOptions = {
    allowSyntheticDefaultImports: true,
    baseUrl: ROOT,
    esModuleInterop: true,
    jsx: ts.JsxEmit.React,
    lib: ['lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.es2020.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    noEmit: true,
    paths: { 'jupyter-ws-hub': ['src/index.ts'] },
    resolveJsonModule: true,
    skipLibCheck: true,
    strict: true,
    target: ts.ScriptTarget.ES2020,
    types: []
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = name => name === FILE || fileExists(name);
  host.readFile = name => (name === FILE ? text : readFile(name));
  host.getSourceFile = (name, ...rest) =>
    name === FILE
      ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2020)
      : getSourceFile(name, ...rest);
  const program = ts.createProgram([FILE], options, host);
  const file = program.getSourceFile(FILE);
  return program
    .getSemanticDiagnostics(file)
    .map(({ messageText }) =>
      ts.flattenDiagnosticMessageText(messageText, ' ')
    );
}

describe('Another extension', () => {
  it('adds its methods, streams and topics to ours, with their types', () => {
    const used = `${DECLARED}
export async function use(manager: IConnectionManager): Promise<string> {
  const options = { idempotent: true, timeoutMs: 5 };
  const { text } = await manager.request('example.greet', { name: 'x' }, options);
  let sum = 0;
  for await (const { n } of manager.stream('example.count', { to: 3 })) {
    sum += n;
  }
  manager.subscribe('example/a', {
    onEvent: event => {
      const kind: 'greeted' = event.kind;
      const name: string = event.data.name;
      console.log(kind, name);
    },
    onError: error => {
      if (error instanceof HubError && error.retryable) {
        console.log(error.retryAfterMs);
      }
    }
  });
  const { rooms } = await manager.request('chat.rooms', {});
  return text + sum + rooms.length;
}

export function wrong(manager: IConnectionManager): void {
  // @ts-expect-error There is no such method.
  void manager.request('example.none', {});
  // @ts-expect-error The name is no number.
  void manager.request('example.greet', { name: 3 });
  // @ts-expect-error It is no stream.
  void manager.stream('example.greet', { name: 'x' });
  // @ts-expect-error The topic has no such kind.
  manager.subscribe('example/a', { onEvent: ({ kind }) => kind === 'left' });
}
`;
    expect(complaints(used)).toEqual([]);
    // The compiler was asked, and would complain.
    expect(complaints(`${used}const n: number = 'x';`)).toHaveLength(1);
  });
});
