import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const root = import.meta.dirname;

export default defineConfig(({ mode }) => ({
  root,
  plugins: [...(mode === 'demo' ? [demo()] : []), precache(), compress()],
  worker: { format: 'es' },
  build: {
    target: ['chrome111', 'firefox121', 'safari16.4'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: join(root, 'index.html'), sw: join(root, 'src/sw.ts') },
      output: {
        // A service worker's scope is its folder: it has to stand at the top, under a name that stays.
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
}));

/** Puts the made-up data of src/ui/demo-parley.ts in the place of the real client; in no other mode it is reachable. */
function demo(): Plugin {
  return {
    name: 'parley-demo',
    enforce: 'pre',
    resolveId(source, importer) {
      const isClient = source === './client' && importer?.endsWith('/src/main.tsx');
      return isClient ? join(root, 'src/ui/demo-parley.ts') : null;
    },
  };
}

/** Tells the service worker which files there are, and a version that changes with any of them. */
function precache(): Plugin {
  let outDir = '';
  return {
    name: 'parley-precache',
    apply: 'build',
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      if (!filesOf(outDir).includes('/sw.js')) return;
      const files = filesOf(outDir).filter((path) => !/\.(br|gz|map)$|^\/sw\.js$/u.test(path));
      const hash = createHash('sha256');
      for (const path of files) hash.update(path).update(readFileSync(join(outDir, path)));
      const worker = join(outDir, 'sw.js');
      const source = readFileSync(worker, 'utf8')
        .replaceAll('__PRECACHE__', JSON.stringify(files))
        .replaceAll('__VERSION__', JSON.stringify(hash.digest('hex').slice(0, 16)));
      writeFileSync(worker, source);
    },
  };
}

/** Writes FILE.br and FILE.gz beside every file that gains from it; the server sends them as they are. */
function compress(): Plugin {
  let outDir = '';
  return {
    name: 'parley-compress',
    apply: 'build',
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const path of filesOf(outDir)) {
        if (!/\.(html|js|css|svg|webmanifest|json|txt)$/u.test(path)) continue;
        const bytes = readFileSync(join(outDir, path));
        const options = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
        writeFileSync(join(outDir, `${path}.br`), brotliCompressSync(bytes, options));
        writeFileSync(join(outDir, `${path}.gz`), gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

/** Paths of all files below a folder, each with a leading slash, sorted. */
function filesOf(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below))
    .sort()
    .flatMap((name) => {
      const path = `${below}/${name}`;
      return statSync(join(folder, path)).isDirectory() ? filesOf(folder, path) : [path];
    });
}
