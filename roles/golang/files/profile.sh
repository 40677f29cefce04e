# Written by Slipway (slipway.node.golang). The next run overwrites changes made here.
case ":$PATH:" in
  *:@BIN@:*) ;;
  *) export PATH="@BIN@:$PATH" ;;
esac
