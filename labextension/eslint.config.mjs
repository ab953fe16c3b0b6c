import js from '@eslint/js';
import jupyterPlugin from '@jupyter/eslint-plugin';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import prettierRecommended from 'eslint-plugin-prettier/recommended';
import tseslint from 'typescript-eslint';

/** What a folder may not import. */
const forbid = (files, ...patterns) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns }]
  }
});

export default defineConfig([
  {
    ignores: [
      'node_modules',
      'lib',
      'coverage',
      '**/*.js',
      '**/*.mjs',
      '**/*.d.ts',
      'src/protocol/generated.ts'
    ]
  },
  js.configs.recommended,
  tseslint.configs.recommended,
  { plugins: { jupyter: jupyterPlugin } },
  jupyterPlugin.configs.recommended,
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    languageOptions: {
      globals: { ...globals.browser, ...globals.node, ...globals.jest },
      parserOptions: { project: 'tsconfig.test.json', sourceType: 'module' }
    },
    rules: {
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { args: 'none', caughtErrors: 'none' }
      ],
      // What our plugins import they need when they start: there is nothing to load later.
      'jupyter/prefer-lazy-imports': 'off',
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'prefer-arrow-callback': 'error'
    }
  },
  // The layers: protocol imports only itself; the views know the public face, not the connections behind it.
  forbid(['src/protocol/*.ts'], {
    regex: '^(?!\\./).+',
    message: 'protocol/ imports only itself.'
  }),
  forbid(['src/panel/*', 'src/chat/*'], {
    group: ['**/connections/*', '**/index'],
    message: 'Views import tokens, not connections.'
  }),
  forbid(
    ['src/chat/*.ts', 'src/chat/!(adapter).tsx'],
    {
      group: ['**/connections/*', '**/index'],
      message: 'Views import tokens, not connections.'
    },
    {
      group: ['@jupyter/chat'],
      message: 'Only the adapter knows the library.'
    }
  ),
  forbid(['src/connections/*', 'src/terminals/*'], {
    group: ['**/panel/*', '**/chat/*', '**/index'],
    message: 'Only index.ts puts things together.'
  }),
  prettierRecommended
]);
