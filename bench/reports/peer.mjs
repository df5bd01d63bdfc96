export class Peer {
  static title = "PostGraphile 5";
  static async start() { return null; }
}
