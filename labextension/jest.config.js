const jestJupyterLab = require('@jupyterlab/testutils/lib/jest-config');

const esModules = [
  '@codemirror',
  '@jupyter/',
  '@jupyterlab/',
  '@microsoft/',
  'exenv-es6',
  'lib0',
  'marked',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

const baseConfig = jestJupyterLab(__dirname);

module.exports = {
  ...baseConfig,
  automock: false,
  reporters: ['default'],
  // Jest leaves one processor free, and of two that is half.
  maxWorkers: '100%',
  // Workers are started with `import.meta`, which Node's CommonJS does not have.
  moduleNameMapper: {
    ...baseConfig.moduleNameMapper,
    '^\\./spawnWorker$': '<rootDir>/src/testing/spawnWorker.ts'
  },
  testRegex: 'src/.*/.*.spec.ts[x]?$',
  transformIgnorePatterns: [`/node_modules/(?!${esModules}).+`]
};
