import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from './bytes';
import { generateKeyPair } from './primitives';
import {
  curveToEd25519,
  ed25519ToCurve,
  signCurve25519,
  signEd25519,
  toEd25519Public,
  verifyCurve25519,
  verifyEd25519,
} from './xeddsa';

/** Made with Python's xeddsa 1.2.0 (libxeddsa 2): `ed25519_priv_sign(priv, message, nonce)`. */
const VECTORS = [
  {
    priv: '107abb82e9da82ef5135f375205a243df7137c5fc7891799602e4fe31af35d61',
    message: '',
    nonce:
      '1b4366dac0d37f37b1cf4a85441045b3a22ba572c11d99c7a8f2356b6ea54851162405989eeb786a7384561d0be7c61152de87c260def9873ca536aee666a77d',
    edwards: '08d20110e7f072f3c3acf41b770b02519e676e9fccbe55b96496061f03cfd1a2',
    curve: 'fde621fe06c04289efb14f3c5227dfb49d476940bff80afeab90eb536f85514f',
    signature:
      'cf983c2ecb5549e9499e9f7d57e8abf3b3c06f1b028210a7933e42f7aca29cbc0e426ff8b8defb3908d652a377c191ed0fb22b2cbeb8ffd7ab7fa2035bf2610e',
  },
  {
    priv: 'b830962dbd208acf4046e736e7755749be70df8aa4b440d1b7c53eac659f2740',
    message: '050000000000000000000000000000000000000000000000000000000000000000',
    nonce:
      '648cdb7bbf9efc26f1713eaba3809ac1bade023b6e441c389841c110bdd97b84f73ededb51fa05194f053ff755fa055a48d8e63a74bf200f462d652c326b3433',
    edwards: '0e8aa6ce2a38a020f7b119cdd553801a6d2db692b1463e78f13a75b7062c3971',
    curve: 'f82e1ec883031984e48e3f42a528a953b6f1e9b9ffce363c548e7972044dae06',
    signature:
      '222a0aeb35d689850c61c23409f0882c5acaa5c26b7f50772c5ec206bbf2a71262fdc1d65f90321e2778c848db21922042fa15d9f5bf2606b16522e9cdd1ed09',
  },
  {
    priv: '70defc8f39d36969539d4a7f168694cc4a02c482fe8ab14636254ccdc29f1b61',
    message: '68656c6c6f',
    nonce:
      '3810aec9ed382e763db4e2374d01f72794169a51720a1963f2874156b407ec0090419bdfa7adf81395c43ef05bbaadff5e76015901948fae664cb1f054467d38',
    edwards: '924297b1932012b23e96e4fc8e58097fd75b224be4515b49fec76c448bb1c276',
    curve: 'b88ecf9b3111914d680cec8851c487c06bbb46f9b2221ed12ea0bea46b82e53d',
    signature:
      '3b30c9825b2dff115e12a17b5ace1584c75e34a2937a9f8c18effae790cdb97d713029b950c60994c33993ab463d0854138b2b42a65f07230615ee1b6316b806',
  },
  {
    priv: 'a086464f605ba3b9f192c0d1a05466a16523094caee2580790b9483ea4adb057',
    message: '61616161616161616161616161616161616161616161616161616161616161616161616161616161',
    nonce:
      '821e02c72d9878717c8c535863121d110c21f2bb3b1c313bd9d576b42a1eb8aa54841d67c9777190eb5eb81796a50460d22c8b558d4f53101a0873b409354792',
    edwards: '29de0ee90f69df1265a8c8b64253395587a70866f1a124ce82c8937649133235',
    curve: '6c3734b15dbf07e585c465c582ed91c81b2f87a2d116b0a742603271aa2cb56d',
    signature:
      '37df65f02ae0e025db8cf9d0317ba545d2ea05009a58c272aabc3de5fe2239bc95caf9471dd4255a057d73da0e8393b1320754ff9ffeeed5a1badaa11b2a820c',
  },
  {
    priv: '5036a630d30f6e9e98b6315ca5fc8ace220381cb9239794a7660f03b7dcc8d56',
    message: '0562c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a',
    nonce:
      '480e92db81937fc6e5ced473ccb849f975f10752e8eda86765fd5f03751832a9446619c24ae62a26d6b689052fddac933c7ec65a47b8f0bc29b7bcca69657051',
    edwards: 'b46b31fd89525b262482550ea631ab520cc84d5874393f8de6be49f34192d675',
    curve: '5574e9cda49503141d93d0cd7e997b867c4148cd252cb0f7b73e5cacf4c64975',
    signature:
      '613da4e086c38798a0e56e5f27614b65f29d5a388b88d8b7b5ca71b0138f2faca3002a86dad40cf8dd92f45ef197a2aa9558a751629baef664e38ff35f67e908',
  },
  {
    priv: 'b8fe6d67817400e438def41ee8fb668b77fa39229314c02e2de4e592a7f67b60',
    message: '78',
    nonce:
      '165a8aed56fac16929e2f72ae1f58aef874b06b64f2432cadb303f11846ec77c9d6f24af759243723b7333065cfcf827a4fa396554daf404c1d612c339fd340e',
    edwards: 'cd58cfe9e4fa132c523599532881cea2173de3c2f826afbf0baa9cd220579281',
    curve: '7e814f0785da13803aedec49569edd6ecdffb707aca150caaaa698230337b779',
    signature:
      '7639429f9c6a11a654e822184eb30f1c203c76502cfeaec9e44a6e43834b06ba3b10ce9999bac7a47511b2ea61927988fab7d81d2a3344fe910f817050a7db0b',
  },
] as const;

describe.each(VECTORS)('the key $curve', (vector) => {
  const priv = fromHex(vector.priv);
  const message = fromHex(vector.message);
  const nonce = fromHex(vector.nonce);
  const hasSign = (Number.parseInt(vector.edwards.slice(-2), 16) & 0x80) !== 0;

  test('has the same forms', () => {
    expect(toHex(toEd25519Public(priv))).toBe(vector.edwards);
    expect(toHex(ed25519ToCurve(fromHex(vector.edwards)))).toBe(vector.curve);
    expect(toHex(curveToEd25519(fromHex(vector.curve), hasSign))).toBe(vector.edwards);
  });

  test('makes the same signature', () => {
    expect(toHex(signEd25519(priv, message, nonce))).toBe(vector.signature);
  });

  test('keeps the sign of the point in the top bit', () => {
    const expected = fromHex(vector.signature);
    expected[63] = (expected[63] as number) | (hasSign ? 0x80 : 0);
    expect(toHex(signCurve25519(priv, message, nonce))).toBe(toHex(expected));
  });

  test('verifies, and nothing else does', () => {
    const signature = signCurve25519(priv, message, nonce);
    expect(verifyCurve25519(fromHex(vector.curve), message, signature)).toBe(true);
    expect(verifyEd25519(fromHex(vector.edwards), message, fromHex(vector.signature))).toBe(true);
    expect(verifyCurve25519(fromHex(vector.curve), concat(message, Uint8Array.of(0)), signature)).toBe(false);
    for (const index of [0, 31, 32, 62, 63]) {
      const changed = Uint8Array.from(signature);
      changed[index] = (changed[index] as number) ^ 0x80;
      expect(verifyCurve25519(fromHex(vector.curve), message, changed)).toBe(false);
    }
    expect(verifyCurve25519(generateKeyPair().pub, message, signature)).toBe(false);
  });
});

test('wrong sizes do not verify', () => {
  const pair = generateKeyPair();
  const signature = signCurve25519(pair.priv, Uint8Array.of(1));
  expect(verifyCurve25519(pair.pub, Uint8Array.of(1), signature)).toBe(true);
  expect(verifyCurve25519(pair.pub, Uint8Array.of(1), signature.slice(1))).toBe(false);
  expect(verifyCurve25519(pair.pub.slice(1), Uint8Array.of(1), signature)).toBe(false);
  expect(verifyEd25519(new Uint8Array(0), Uint8Array.of(1), signature)).toBe(false);
});

test('two signatures of the same message differ: the nonce is random', () => {
  const pair = generateKeyPair();
  expect(signEd25519(pair.priv, Uint8Array.of(1))).not.toEqual(signEd25519(pair.priv, Uint8Array.of(1)));
});

test.each([
  ['u = -1, which has no Edwards form', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
  ['31 bytes', '00'.repeat(31)],
])('refuses a Curve25519 key: %s', (_name, hex) => {
  expect(() => curveToEd25519(fromHex(hex), false)).toThrow(expect.objectContaining({ code: 'weak-key' }));
});

test.each([
  ['the neutral element', `01${'00'.repeat(31)}`],
  ['a point of order 4', '00'.repeat(32)],
  ['no point of the curve', `02${'00'.repeat(31)}`],
  ['31 bytes', '01'.repeat(31)],
])('refuses an Ed25519 key: %s', (_name, hex) => {
  expect(() => ed25519ToCurve(fromHex(hex))).toThrow(expect.objectContaining({ code: 'weak-key' }));
});
